//! sequences

use super::watch::{Says as _, Watch};
use crate::support::Postgres;

#[test]
fn a_sequence_is_judged_by_its_own_end_or_by_its_columns() {
    let database = Postgres::shared().database();
    let watch = Watch::new("sequences", &database.url(), "");
    watch.not_applicable();
    database.sql(
        "CREATE SEQUENCE ticket MAXVALUE 100;
         CREATE TABLE note (id int PRIMARY KEY);
         CREATE SEQUENCE note_id AS bigint OWNED BY note.id;
         CREATE SEQUENCE ring MAXVALUE 10 CYCLE; SELECT setval('ring', 10)",
    );
    watch.ok().says("no sequence was used yet");
    database.sql("SELECT setval('ticket', 50)");
    watch.ok();
    database.sql("SELECT setval('ticket', 90)");
    watch.warns().says("public.ticket: at 90 of 100");
    database.sql("SELECT setval('ticket', 96)");
    watch.critical().says("bigint");
    database.sql("ALTER SEQUENCE ticket MAXVALUE 100000");
    watch.ok();
    // As a bigint it would have just begun; the column it fills is an int.
    database.sql("SELECT setval('note_id', 2000000000)");
    watch.warns().says("public.note_id: at 2000000000 of 2147483647").says("fills public.note.id");
    database.sql("ALTER TABLE note ALTER COLUMN id TYPE bigint");
    watch.ok();
}
