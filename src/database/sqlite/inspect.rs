//! What the tables look like, read from SQLite's pragmas.

use rusqlite::Connection;

use super::super::schema::{Column, Family, ForeignKey, Index, OnDelete, Relation, Schema, Table, TableKind, Trigger};

/// The tables of the database; SQLite's own and those of virtual tables are left out.
pub(super) fn schema(connection: &Connection) -> Result<Schema, rusqlite::Error> {
    let mut schema = Schema::default();
    let mut listed = connection.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' ORDER BY name",
    )?;
    let names = listed.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?;
    for listed in names {
        let (name, without_rowid) = listed?;
        schema.tables.push(table(connection, name, without_rowid)?);
    }
    for table in &schema.tables {
        schema.foreign_keys.extend(foreign_keys(connection, table, &schema)?);
    }
    Ok(schema)
}

fn table(connection: &Connection, name: String, without_rowid: bool) -> Result<Table, rusqlite::Error> {
    let mut columns = Vec::new();
    let mut primary: Vec<(i64, String)> = Vec::new();
    let mut asked = connection.prepare("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1)")?;
    let mut rows = asked.query([&name])?;
    while let Some(row) = rows.next()? {
        let (column, type_name): (String, String) = (row.get(0)?, row.get(1)?);
        let position: i64 = row.get(3)?;
        if position > 0 {
            primary.push((position, column.clone()));
        }
        columns.push(Column {
            family: family(&type_name),
            max_chars: None,
            not_null: row.get(2)?,
            // 2 and 3: generated. https://www.sqlite.org/pragma.html#pragma_table_xinfo
            generated: row.get::<_, i64>(4)? >= 2,
            is_in_order: None,
            name: column,
            type_name,
        });
    }
    primary.sort();
    let primary: Vec<String> = primary.into_iter().map(|(_, name)| name).collect();
    let indexes = indexes(connection, &name, &primary, without_rowid)?;
    // An INTEGER PRIMARY KEY is the row's number by its own name.
    let is_named = indexes.iter().any(|index| index.is_primary && index.name == ROWID);
    let rowid = (!without_rowid && !is_named).then(|| rowid(&columns)).flatten();
    if without_rowid || is_named {
        for column in columns.iter_mut().filter(|column| primary.contains(&column.name)) {
            column.not_null = true;
        }
    }
    Ok(Table {
        triggers: triggers(connection, &name)?,
        rewrites: Vec::new(),
        relation: Relation { schema: "main".to_owned(), name },
        is_reachable: true,
        columns,
        indexes,
        rowid,
        estimated_rows: None,
        pages: 0,
        has_page_ranges: false,
        kind: if without_rowid { TableKind::WithoutRowid } else { TableKind::Plain },
        hides_rows: false,
    })
}

/// The row's number, under a name that no column has taken; `None`: all three are.
/// <https://www.sqlite.org/lang_createtable.html#rowid>
fn rowid(columns: &[Column]) -> Option<Column> {
    let taken = |name: &&str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let name = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !taken(name))?;
    Some(Column {
        name: name.to_owned(),
        type_name: "INTEGER".to_owned(),
        family: Family::Integer,
        max_chars: None,
        not_null: true,
        is_in_order: Some(true),
        generated: false,
    })
}

/// What the key of a table that is its rows' number is called here.
const ROWID: &str = "rowid";

fn indexes(
    connection: &Connection,
    table: &str,
    primary: &[String],
    without_rowid: bool,
) -> Result<Vec<Index>, rusqlite::Error> {
    let mut indexes = Vec::new();
    let mut asked = connection.prepare("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1)")?;
    let mut of_index = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
    let mut rows = asked.query([table])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let columns = of_index.query_map([&name], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
        indexes.push(Index {
            name,
            columns,
            is_unique: row.get(1)?,
            is_primary: row.get::<_, String>(2)? == "pk",
            is_ordered: !row.get::<_, bool>(3)?,
        });
    }
    // INTEGER PRIMARY KEY and the key of a table without rowids have no index of their own: they are the table.
    if !primary.is_empty() && !indexes.iter().any(|index| index.is_primary) {
        let columns = primary.iter().cloned().map(Some).collect();
        let name = if without_rowid { "primary key" } else { ROWID }.to_owned();
        indexes.push(Index { name, columns, is_unique: true, is_primary: true, is_ordered: true });
    }
    indexes.sort_by_key(|index| !index.is_primary);
    Ok(indexes)
}

/// SQLite keeps a trigger's words only; what it fires on stands before its table's name.
fn triggers(connection: &Connection, table: &str) -> Result<Vec<Trigger>, rusqlite::Error> {
    let mut asked = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 ORDER BY name")?;
    let rows = asked.query_map([table], |row| {
        let sql = row.get::<_, String>(1)?.to_lowercase();
        let head = sql.split_once(" on ").map_or(sql.as_str(), |(head, _)| head);
        let (on_delete, on_update) = (head.contains("delete"), head.contains("update"));
        // There are no others. https://www.sqlite.org/lang_createtrigger.html
        Ok(Trigger { name: row.get(0)?, on_delete, on_update, is_for_each_row: true })
    })?;
    rows.collect()
}

fn foreign_keys(connection: &Connection, table: &Table, schema: &Schema) -> Result<Vec<ForeignKey>, rusqlite::Error> {
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    let mut asked = connection.prepare(
        "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
    )?;
    let mut rows = asked.query([&table.relation.name])?;
    while let Some(row) = rows.next()? {
        let (id, parent, from): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(parent) = schema.tables.iter().find(|other| other.relation.name.eq_ignore_ascii_case(&parent)) else {
            continue;
        };
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let key = ForeignKey {
                name: format!("{} → {}", table.relation.name, parent.relation.name),
                child: table.relation.clone(),
                child_columns: Vec::new(),
                parent: parent.relation.clone(),
                parent_columns: Vec::new(),
                on_delete: match row.get::<_, String>(4)?.as_str() {
                    "CASCADE" => OnDelete::Cascade,
                    "SET NULL" | "SET DEFAULT" => OnDelete::Unset,
                    _ => OnDelete::Refuse,
                },
                is_indexed: false,
            };
            keys.push((id, key));
        }
        let Some((_, key)) = keys.last_mut() else { continue };
        // Without a column it is the parent's primary key.
        let position = key.child_columns.len();
        let primary = parent.indexes.iter().find(|index| index.is_primary);
        let to = row.get::<_, Option<String>>(3)?.or_else(|| primary?.columns.get(position)?.clone());
        key.child_columns.push(from);
        key.parent_columns.push(to.unwrap_or_else(|| "rowid".to_owned()));
    }
    Ok(keys
        .into_iter()
        .map(|(_, mut key)| {
            let leads = |index: &Index| {
                index.is_ordered
                    && index.columns.len() >= key.child_columns.len()
                    && index.columns[..key.child_columns.len()]
                        .iter()
                        .flatten()
                        .all(|name| key.child_columns.contains(name))
            };
            key.is_indexed = table.indexes.iter().any(leads);
            key
        })
        .collect())
}

/// By the declared type, loosely: SQLite holds any value in any column. <https://www.sqlite.org/datatype3.html>
fn family(type_name: &str) -> Family {
    let name = type_name.to_lowercase();
    let has = |part: &str| name.contains(part);
    match () {
        () if has("int") => Family::Integer,
        () if has("uuid") => Family::Uuid,
        () if has("bool") => Family::Boolean,
        () if has("timestamp") || has("datetime") => Family::LocalTimestamp,
        () if has("date") => Family::Date,
        () if has("json") => Family::Json,
        () if has("char") || has("text") || has("clob") => Family::Text,
        () if has("real") || has("floa") || has("doub") || has("num") || has("dec") => Family::Number,
        () if has("blob") => Family::Bytes,
        () => Family::Other,
    }
}
