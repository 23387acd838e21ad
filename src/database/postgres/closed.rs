//! A database that only its owner and superusers may enter, until what is being done to it is done.
//!
//! Who could enter before is kept in the database's comment: it survives whoever closed it, and tells a person who wonders.

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;
use super::sql::{dynamic, literal};

/// What the comment of a closed database begins with; the roles follow, as JSON.
const CLOSED: &str = "closed by Caretaker; CONNECT was granted to ";

/// The same while it is loaded: what was cut off then is no copy.
const LOADING: &str = "being loaded, and closed by Caretaker; CONNECT was granted to ";

/// Whether we may close it; who may enter beside the owner; its comment; how many others are in it.
const LOOK: &str = "
    SELECT pg_has_role(d.datdba, 'USAGE'),
        ARRAY(SELECT CASE acl.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END
            FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
            WHERE acl.privilege_type = 'CONNECT' AND acl.grantee <> d.datdba ORDER BY 1),
        coalesce(shobj_description(d.oid, 'pg_database'), ''),
        (SELECT count(*) FROM pg_stat_activity s JOIN pg_roles r ON r.oid = s.usesysid
            WHERE s.datid = d.oid AND NOT r.rolsuper AND s.usesysid <> d.datdba AND s.pid <> pg_backend_pid())
    FROM pg_database d WHERE d.datname = current_database()";

/// How closing has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Nobody else can enter, and nobody else is in it.
    Yes,
    /// It cannot be closed, and why.
    No(String),
}

struct Seen {
    may: bool,
    others: Vec<String>,
    comment: String,
    inside: i64,
}

impl Connection {
    /// Takes CONNECT on this database from everybody but its owner, until it is loaded and more; superusers need none.
    pub async fn close_to_others(&mut self) -> Result<Closed, DatabaseError> {
        let seen = self.look_at_entrance().await?;
        if !seen.may {
            return Ok(Closed::No("it belongs to another role".to_owned()));
        }
        if !seen.others.is_empty() {
            let (mut roles, rest, _) = read_comment(&seen.comment);
            roles.extend(seen.others.iter().filter(|role| !roles.contains(role)).cloned().collect::<Vec<_>>());
            let comment = write_comment(LOADING, &roles, &rest);
            let name = self.own_name().await?;
            let revoke = format!("REVOKE CONNECT ON DATABASE {name} FROM {}", seen.others.join(", "));
            self.both(&revoke, &name, Some(&comment), "close it to others").await?;
        }
        let after = self.look_at_entrance().await?;
        Ok(match (after.others.first(), after.inside) {
            (None, 0) => Closed::Yes,
            (Some(role), _) => Closed::No(format!("{role} may enter by a grant of somebody else")),
            (None, 1) => Closed::No("somebody else is connected to it".to_owned()),
            (None, more) => Closed::No(format!("{more} others are connected to it")),
        })
    }

    /// Notes that all of it is there.
    pub async fn note_loaded(&mut self) -> Result<(), DatabaseError> {
        let (roles, rest, is_loading) = read_comment(&self.look_at_entrance().await?.comment);
        if !is_loading {
            return Ok(());
        }
        let (name, comment) = (self.own_name().await?, write_comment(CLOSED, &roles, &rest));
        self.both("SELECT 1", &name, Some(&comment), "note that it is loaded").await
    }

    /// Whether loading it was begun and has not come to its end.
    pub async fn is_half_loaded(&mut self) -> Result<bool, DatabaseError> {
        Ok(read_comment(&self.look_at_entrance().await?.comment).2)
    }

    /// Gives CONNECT back to whom [`Self::close_to_others`] took it from. `false`: it was not closed.
    pub async fn open_to_others(&mut self) -> Result<bool, DatabaseError> {
        let seen = self.look_at_entrance().await?;
        let (roles, rest, _) = read_comment(&seen.comment);
        if roles.is_empty() {
            return Ok(false);
        }
        let name = self.own_name().await?;
        let grant = format!("GRANT CONNECT ON DATABASE {name} TO {}", roles.join(", "));
        let comment = Some(rest).filter(|rest| !rest.is_empty());
        self.both(&grant, &name, comment.as_deref(), "open it to others").await?;
        Ok(true)
    }

    async fn look_at_entrance(&mut self) -> Result<Seen, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query_as(LOOK).persistent(false).fetch_one(self.pg());
        let (may, others, comment, inside) = answer(&database, "look who may connect", ANSWER_WITHIN, question).await?;
        Ok(Seen { may, others, comment, inside })
    }

    async fn own_name(&mut self) -> Result<String, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query_scalar("SELECT quote_ident(current_database())").fetch_one(self.pg());
        answer(&database, "ask for its name", ANSWER_WITHIN, question).await
    }

    /// Both or neither: a closed database tells who could enter.
    async fn both(&mut self, change: &str, name: &str, comment: Option<&str>, what: &str) -> Result<(), DatabaseError> {
        let database = self.database.clone();
        let comment = comment.map_or_else(|| "NULL".to_owned(), literal);
        let sql = format!("BEGIN; {change}; COMMENT ON DATABASE {name} IS {comment}; COMMIT");
        let done = answer(&database, what, ANSWER_WITHIN, sqlx::raw_sql(dynamic(sql)).execute(self.pg())).await;
        if done.is_err() {
            // What was begun must not stay open.
            let _ = sqlx::raw_sql("ROLLBACK").execute(self.pg()).await;
        }
        done.map(drop)
    }
}

/// The roles that a comment tells of, as they stand in SQL, what stood there before, and whether it is being loaded.
fn read_comment(comment: &str) -> (Vec<String>, String, bool) {
    let mut found = [(LOADING, true), (CLOSED, false)].into_iter();
    let found = found.find_map(|(words, is_loading)| Some((comment.split_once(words)?, is_loading)));
    let Some(((rest, roles), is_loading)) = found else { return (Vec::new(), comment.to_owned(), false) };
    (serde_json::from_str(roles).unwrap_or_default(), rest.trim_end().to_owned(), is_loading)
}

fn write_comment(words: &str, roles: &[String], rest: &str) -> String {
    let roles = serde_json::Value::from(roles);
    if rest.is_empty() { format!("{words}{roles}") } else { format!("{rest}\n{words}{roles}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        for (rest, words, is_loading) in [("", CLOSED, false), ("the shop's", CLOSED, false), ("x", LOADING, true)] {
            let roles = vec!["public".to_owned(), "\"a, \"\"b\"".to_owned()];
            let comment = write_comment(words, &roles, rest);
            assert_eq!(read_comment(&comment), (roles, rest.to_owned(), is_loading));
        }
        assert_eq!(read_comment("the shop's"), (Vec::new(), "the shop's".to_owned(), false));
    }
}
