//! What the tables look like, read from the catalogue.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::schema::{
    Column, Family, ForeignKey, Index, OnDelete, Relation, Rewrite, Schema, Table, TableKind, Trigger,
};
use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;

/// Tables of people, not of the server, extensions or sessions. `row_security_active` says what holds for us.
const TABLES: &str = "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition,
        c.reltuples::float8, pg_table_is_visible(c.oid), row_security_active(c.oid),
        c.relkind = 'r' AND current_setting('server_version_num')::int >= 140000, c.relpages
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname";

/// A domain counts as what it is made of.
const COLUMNS: &str = "SELECT a.attrelid::int8, a.attname::text, format_type(a.atttypid, a.atttypmod),
        coalesce(b.typname, t.typname)::text, a.attnotnull OR t.typnotnull, a.attgenerated <> '' OR a.attidentity = 'a',
        CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar')
             THEN nullif(greatest(a.atttypmod, t.typtypmod), -1) - 4 END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
    WHERE a.attrelid = ANY($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum";

const INDEXES: &str = "SELECT i.indrelid::int8, c.relname::text, i.indisunique, i.indisprimary,
        m.amname = 'btree' AND i.indisvalid AND i.indisready AND i.indpred IS NULL,
        ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(num, pos)
              LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num > 0
              WHERE k.pos <= i.indnkeyatts ORDER BY k.pos)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE i.indrelid = ANY($1::int8[]::oid[])
    ORDER BY i.indrelid, i.indisprimary DESC, c.relname";

/// How rows lie on the disk: 1 and −1 are exactly in a column's order. <https://www.postgresql.org/docs/current/view-pg-stats.html>
const ORDER: &str = "SELECT schemaname::text, tablename::text, attname::text, abs(correlation) >= 0.9
    FROM pg_stats WHERE correlation IS NOT NULL AND NOT inherited
      AND schemaname NOT IN ('pg_catalog', 'information_schema')";

/// tgtype: 1 is FOR EACH ROW, 8 DELETE, 16 UPDATE; as in the server's `catalog/pg_trigger.h`.
const TRIGGERS: &str = "SELECT tgrelid::int8, tgname::text, tgtype & 8 <> 0, tgtype & 16 <> 0, tgtype & 1 <> 0
    FROM pg_trigger WHERE tgrelid = ANY($1::int8[]::oid[]) AND NOT tgisinternal AND tgenabled IN ('O', 'A')
    ORDER BY tgrelid, tgname";

/// ev_type: 2 is UPDATE, 4 DELETE. <https://www.postgresql.org/docs/current/catalog-pg-rewrite.html>
const REWRITES: &str = "SELECT ev_class::int8, rulename::text, ev_type = '4', is_instead
    FROM pg_rewrite WHERE ev_class = ANY($1::int8[]::oid[]) AND ev_type IN ('2', '4') AND ev_enabled IN ('O', 'A')
    ORDER BY ev_class, rulename";

/// Those of partitions are those of the partitioned table.
const FOREIGN_KEYS: &str = "SELECT f.conname::text, f.conrelid::int8, f.confrelid::int8, f.confdeltype::text,
        ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY k(num, pos)
              JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num ORDER BY k.pos),
        ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY k(num, pos)
              JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.num ORDER BY k.pos),
        EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indpred IS NULL
                AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey)
    FROM pg_constraint f WHERE f.contype = 'f' AND f.conparentid = 0
      AND (f.conrelid = ANY($1::int8[]::oid[]) OR f.confrelid = ANY($1::int8[]::oid[]))
    ORDER BY f.conname";

impl Connection {
    /// The tables of the database, as our role sees them.
    pub async fn inspect(&mut self) -> Result<Schema, DatabaseError> {
        let database = self.database.clone();
        answer(&database, "look at the tables", ANSWER_WITHIN, async {
            let rows = sqlx::query(TABLES).persistent(false).fetch_all(self.pg()).await?;
            let mut tables = BTreeMap::new();
            for row in &rows {
                tables.insert(row.try_get::<i64, _>(0)?, table(row)?);
            }
            let oids: Vec<i64> = tables.keys().copied().collect();
            for row in self.of_tables(COLUMNS, &oids).await? {
                if let Some(table) = tables.get_mut(&row.try_get(0)?) {
                    table.columns.push(column(&row)?);
                }
            }
            for row in self.of_tables(INDEXES, &oids).await? {
                if let Some(table) = tables.get_mut(&row.try_get(0)?) {
                    table.indexes.push(index(&row)?);
                }
            }
            for row in self.of_tables(TRIGGERS, &oids).await? {
                if let Some(table) = tables.get_mut(&row.try_get(0)?) {
                    table.triggers.push(trigger(&row)?);
                }
            }
            for row in self.of_tables(REWRITES, &oids).await? {
                if let Some(table) = tables.get_mut(&row.try_get(0)?) {
                    table.rewrites.push(rewrite(&row)?);
                }
            }
            let mut foreign_keys = Vec::new();
            for row in self.of_tables(FOREIGN_KEYS, &oids).await? {
                let (child, parent) = (tables.get(&row.try_get(1)?), tables.get(&row.try_get(2)?));
                if let (Some(child), Some(parent)) = (child, parent) {
                    foreign_keys.push(foreign_key(&row, &child.relation, &parent.relation)?);
                }
            }
            let mut tables: Vec<Table> = tables.into_values().collect();
            let mut orders = BTreeMap::new();
            for row in sqlx::query(ORDER).persistent(false).fetch_all(self.pg()).await? {
                let relation = Relation { schema: row.try_get(0)?, name: row.try_get(1)? };
                orders.insert((relation, row.try_get::<String, _>(2)?), row.try_get::<bool, _>(3)?);
            }
            for table in &mut tables {
                for column in &mut table.columns {
                    column.is_in_order = orders.get(&(table.relation.clone(), column.name.clone())).copied();
                }
            }
            tables.sort_by(|one, other| one.relation.cmp(&other.relation));
            Ok(Schema { tables, foreign_keys })
        })
        .await
    }

    async fn of_tables(&mut self, sql: &'static str, oids: &[i64]) -> Result<Vec<PgRow>, sqlx::Error> {
        sqlx::query(sql).persistent(false).bind(oids).fetch_all(self.pg()).await
    }
}

fn table(row: &PgRow) -> Result<Table, sqlx::Error> {
    let kind = match (row.try_get::<&str, _>(3)?, row.try_get(4)?) {
        ("p", _) => TableKind::Partitioned,
        (_, true) => TableKind::Partition,
        _ => TableKind::Plain,
    };
    let rows: f64 = row.try_get(5)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, not negative")]
    let estimated_rows = (rows >= 0.0).then_some(rows as u64);
    Ok(Table {
        relation: Relation { schema: row.try_get(1)?, name: row.try_get(2)? },
        is_reachable: row.try_get(6)?,
        columns: Vec::new(),
        indexes: Vec::new(),
        triggers: Vec::new(),
        rewrites: Vec::new(),
        rowid: None,
        estimated_rows,
        kind,
        hides_rows: row.try_get(7)?,
        has_page_ranges: row.try_get(8)?,
        // Partitioned tables have −1.
        pages: u64::try_from(row.try_get::<i32, _>(9)?).unwrap_or(0),
    })
}

fn column(row: &PgRow) -> Result<Column, sqlx::Error> {
    Ok(Column {
        name: row.try_get(1)?,
        type_name: row.try_get(2)?,
        family: family(row.try_get(3)?),
        not_null: row.try_get(4)?,
        generated: row.try_get(5)?,
        is_in_order: None,
        max_chars: row.try_get::<Option<i32>, _>(6)?.map(i32::unsigned_abs),
    })
}

/// By the type's name in the catalogue. <https://www.postgresql.org/docs/current/datatype.html>
fn family(type_name: &str) -> Family {
    match type_name {
        "text" | "varchar" | "bpchar" | "citext" | "name" => Family::Text,
        "int2" | "int4" | "int8" => Family::Integer,
        "numeric" | "float4" | "float8" | "money" => Family::Number,
        "bool" => Family::Boolean,
        "date" => Family::Date,
        "timestamp" => Family::LocalTimestamp,
        "timestamptz" => Family::Timestamp,
        "uuid" => Family::Uuid,
        "inet" | "cidr" => Family::Network,
        "json" | "jsonb" => Family::Json,
        "bytea" => Family::Bytes,
        _ => Family::Other,
    }
}

fn index(row: &PgRow) -> Result<Index, sqlx::Error> {
    Ok(Index {
        name: row.try_get(1)?,
        is_unique: row.try_get(2)?,
        is_primary: row.try_get(3)?,
        is_ordered: row.try_get(4)?,
        columns: row.try_get(5)?,
    })
}

fn trigger(row: &PgRow) -> Result<Trigger, sqlx::Error> {
    Ok(Trigger {
        name: row.try_get(1)?,
        on_delete: row.try_get(2)?,
        on_update: row.try_get(3)?,
        is_for_each_row: row.try_get(4)?,
    })
}

fn rewrite(row: &PgRow) -> Result<Rewrite, sqlx::Error> {
    Ok(Rewrite { name: row.try_get(1)?, is_of_delete: row.try_get(2)?, is_instead: row.try_get(3)? })
}

fn foreign_key(row: &PgRow, child: &Relation, parent: &Relation) -> Result<ForeignKey, sqlx::Error> {
    let on_delete = match row.try_get::<&str, _>(3)? {
        "c" => OnDelete::Cascade,
        "n" | "d" => OnDelete::Unset,
        _ => OnDelete::Refuse,
    };
    Ok(ForeignKey {
        name: row.try_get(0)?,
        child: child.clone(),
        child_columns: row.try_get(4)?,
        parent: parent.clone(),
        parent_columns: row.try_get(5)?,
        on_delete,
        is_indexed: row.try_get(6)?,
    })
}
