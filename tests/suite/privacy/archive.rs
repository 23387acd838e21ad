//! Archived rows: whole and encrypted in a store before they go, readable with stock tools, and gone when their time is over.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;

use super::scene::{Kind, Scene, days_ago, notes, rule};
use crate::backup::codecs::key_pair;
use crate::faults::disk::Disk;
use crate::support::{S3, eventually, files, patient, stock};

/// A scene whose rules archive to the store `local`, and the key that opens what lies there.
struct Archiving {
    scene: Scene,
    key: PathBuf,
    public: String,
}

impl Archiving {
    fn new(kind: Kind, sql: &str) -> Self {
        let scene = Scene::new(kind, sql);
        let (key, public) = key_pair(&scene.sandbox, "key");
        Self { scene, key, public }
    }

    /// A rule that archives, with further settings of the archive and of the rule.
    fn rule(&self, table: &str, archive: &str, rest: &str) -> String {
        let archive = format!("store = 'local', encrypt_to = ['{}']{archive}", self.public);
        rule(table, &format!("action = {{ archive = {{ {archive} }} }}\n{rest}"))
    }

    fn policy(&self, lines: &str) -> &Self {
        self.scene.policy(lines);
        self
    }

    /// The files in the store's archives that are called so.
    fn objects(&self, name: &str) -> Vec<PathBuf> {
        let mut all = files(&self.scene.sandbox.store().join("_caretaker/archives"));
        all.retain(|path| path.file_name().is_some_and(|it| it == name));
        all.sort();
        all
    }

    fn manifests(&self) -> Vec<Value> {
        let read = |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        self.objects("manifest.json").into_iter().map(read).collect()
    }

    /// All archived rows, one JSON document each, as stock tools read them.
    fn lines(&self) -> Vec<String> {
        let read =
            |path: PathBuf| stock::shell(r#"age -d -i "$1" "$2" | zstd -dcq"#, &[&self.key, &path]).succeeds().stdout;
        let all: String = self.objects("rows.jsonl.zst.age").into_iter().map(read).collect();
        all.lines().map(str::to_owned).collect()
    }

    fn ids(&self) -> Vec<i64> {
        let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap();
        let mut ids: Vec<i64> = self.lines().iter().map(id).collect();
        ids.sort_unstable();
        ids
    }
}

#[rstest]
fn what_went_is_in_the_archive_and_the_rest_is_as_it_was(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 3000));
    it.policy(&it.rule("note", ", expire_after = '7 years'", "where = \"who <> 'p3'\"\nreason = 'item 12'"));
    let rest = "SELECT * FROM note WHERE NOT (id % 3 = 0 AND who <> 'p3') ORDER BY id";
    let before = it.scene.sql(rest);
    let plan = it.scene.rule("old note");
    assert_eq!((&plan["meaning"]["rows"], &plan["action"]), (&900.into(), &"archive to local, then delete".into()));
    assert!(it.objects("manifest.json").is_empty(), "planning writes nothing");
    it.scene.apply().succeeds().says("old note: 900 rows");
    assert_eq!(it.scene.sql("SELECT * FROM note ORDER BY id"), before);
    let expected: Vec<i64> = (1..=3000).filter(|id| id % 3 == 0 && id % 10 != 3).collect();
    assert_eq!(it.ids(), expected);
    let row: Value = serde_json::from_str(&it.lines()[0]).unwrap();
    assert_eq!(
        (&row["who"], &row["body"]),
        (&format!("p{}", row["id"].as_i64().unwrap() % 10).into(), &format!("text {}", row["id"]).into())
    );
    let [manifest] = it.manifests().try_into().unwrap();
    assert_eq!(
        (&manifest["rows"], &manifest["rule"], &manifest["reason"]),
        (&900.into(), &"old note".into(), &"item 12".into())
    );
    let object = it.objects("rows.jsonl.zst.age").remove(0);
    assert_eq!(manifest["object"]["sha256"], stock::sha256(&object));
    assert_eq!(manifest["encrypted_to"][0], it.public);
    let text = manifest.to_string();
    assert!(!text.contains("text 6"), "no value stands in the manifest: {text}");
    let [logged] = it.scene.logged("rows_archived").try_into().unwrap();
    assert_eq!((&logged["detail"]["rows"], &logged["detail"]["sha256"]), (&900.into(), &manifest["object"]["sha256"]));
    it.scene.privacy(&["archives"]).succeeds().says("old note").says("900");
    it.scene.apply().succeeds().says("old note: 0 rows");
    assert_eq!(it.manifests().len(), 1, "what finds nothing writes nothing");
    it.scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn postgres_reads_every_value_back_as_it_was() {
    let it = Archiving::new(
        Kind::Postgres,
        &format!(
            "CREATE TYPE mood AS ENUM ('fine', 'it''s \"odd\"');
             CREATE TABLE note (id bigint PRIMARY KEY, \"odd \"\"name'\" text, n numeric, f float8, r real, b bytea, t timestamp,
                 d date, i interval, j json, jb jsonb, a int[], ta text[], m mood, ip inet, u uuid, ok boolean, rg tstzrange,
                 made timestamptz);
             INSERT INTO note VALUES
                 (9007199254740993, E'line\\nbreak \"q\" \\\\ tab\\t \\u00e9 \\U0001F600', '123456789012345678901234567890.12300',
                  0.1::float8 + 0.2::float8, 1e-30, '\\x00ff5c78', '2020-02-29 23:59:59.999999', '2020-02-29', '1 mon -2 days 03:04:05.6',
                  E'{{\"b\": 1.00,\\n \"a\": 12345678901234567890.5, \"a\": null}}', '{{\"k\": [1.50, \"x\"]}}', '[2:3]={{1,NULL}}',
                  ARRAY['a,b', 'c\"d', NULL, ''], 'it''s \"odd\"', '10.0.0.0/8', gen_random_uuid(), true, '[2020-01-01,)', '{old}'),
                 (2, '', 'NaN', 'NaN', '-Infinity', '', 'infinity', '0044-03-15 BC', '0', '[]', '\"text\"', '{{}}', '{{}}', 'fine', '::1',
                  NULL, false, 'empty', '{old}'),
                 (3, NULL, NULL, '-0', NULL, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{old}');
             CREATE TABLE before AS TABLE note;",
            old = days_ago(100)
        ),
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 3 rows");
    assert_eq!(it.scene.count("note"), 0);
    // As docs/privacy.md says it.
    let file =
        it.scene.sandbox.secret("rows.jsonl", &(it.lines().join("\n").replace("{\"$json\":null}", "null") + "\n"));
    it.scene.sql(&format!(
        "CREATE TABLE loaded (line json);\n\\copy loaded FROM '{}' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')\n\
         INSERT INTO note SELECT r.* FROM loaded, json_populate_record(NULL::note, line) r;",
        file.display()
    ));
    assert_eq!(it.scene.count("note"), 3);
    // JSON's null is not the server's, and what reads a record makes that of it.
    assert!(it.lines()[2].contains("\"j\":{\"$json\":null},\"jb\":null"), "{}", it.lines()[2]);
    it.scene.sql("UPDATE note SET j = 'null' WHERE id = 3");
    let all = |table: &str| it.scene.sql(&format!("SELECT n::text, * FROM {table} ORDER BY id"));
    // A document of type json keeps its words, not its line ends.
    assert_eq!(all("note"), all("before").replace("{\"b\": 1.00,\n \"a\"", "{\"b\": 1.00,  \"a\""));
}

#[test]
fn sqlite_values_keep_their_storage_class() {
    let it = Archiving::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE note (id INTEGER PRIMARY KEY, x, made TEXT);
             INSERT INTO note VALUES (1, 1, '{old}'), (2, 1.0, '{old}'), (3, '1', '{old}'), (4, x'31ff', '{old}'),
                 (5, NULL, '{old}'), (6, 9223372036854775807, '{old}'), (7, 0.1 + 0.2, '{old}'), (8, 9e999, '{old}'),
                 (9, CAST(x'61ff' AS TEXT), '{old}'), (10, 'a' || char(0) || '\"' || char(10) || 'é', '{old}');",
            old = days_ago(100)
        ),
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 10 rows");
    let values: Vec<String> = it
        .lines()
        .iter()
        .map(|line| line.split_once("\"x\":").unwrap().1.split_once(",\"made\"").unwrap().0.to_owned())
        .collect();
    let expected = [
        "1",
        "1.0",
        "\"1\"",
        "{\"$blob\":\"31ff\"}",
        "null",
        "9223372036854775807",
        "0.30000000000000004",
        "{\"$real\":\"inf\"}",
        "{\"$text\":\"61ff\"}",
        "\"a\\u0000\\\"\\né\"",
    ];
    assert_eq!(values, expected);
}

#[rstest]
fn rows_that_are_large_go_in_several_archives_if_they_must(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 240));
    // 80 old rows of about a megabyte: more than one archive takes.
    let large = match kind {
        Kind::Postgres => "UPDATE note SET body = repeat(md5(id::text), 32768)",
        Kind::Sqlite => "UPDATE note SET body = hex(zeroblob(524288))",
    };
    it.scene.sql(large);
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 80 rows");
    assert_eq!(it.manifests().len(), 2);
    assert_eq!(it.ids(), (1..=240).filter(|id| id % 3 == 0).collect::<Vec<i64>>());
}

/// Rows that take their time to go.
fn slow() -> Archiving {
    let it = Archiving::new(Kind::Postgres, &notes("note", 3000));
    it.scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let subject = "[privacy.school.subject]\ntable = 'note'\nkey = 'who'\n";
    it.policy(&format!("batch = {{ target = '20ms' }}\n{}{subject}", it.rule("note", "", "")));
    it
}

#[test]
fn a_killed_run_has_lost_nothing_and_is_gone_on_with() {
    let it = slow();
    let mut applying = it.scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("rows go", patient(), || (it.scene.count("note") < 2900).then_some(()));
    applying.kill().unwrap();
    applying.wait().unwrap();
    eventually("the server has noticed", patient(), || {
        let ours = "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
        (it.scene.count(ours) == 0).then_some(())
    });
    assert!(it.scene.count("note") > 2000, "it was killed too late to show anything");
    it.scene.apply().succeeds();
    assert_eq!((it.scene.count("note"), it.scene.count("note WHERE id % 3 = 0")), (2000, 0));
    // What was still there is in the second archive as well.
    let mut ids = it.ids();
    assert!(ids.len() > 1000);
    ids.dedup();
    assert_eq!(ids, (1..=3000).filter(|id| id % 3 == 0).collect::<Vec<i64>>());
    assert_eq!((it.scene.logged("disposition_started").len(), it.scene.logged("disposition_completed").len()), (1, 1));
    it.scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn what_is_changed_or_held_after_it_was_read_stays() {
    let it = slow();
    let mut applying = it.scene.applying().spawn().unwrap();
    eventually("rows go", patient(), || (it.scene.count("note") < 2900).then_some(()));
    // All is in the archive by now; no row has been seen to go that is not.
    assert_eq!(it.ids().len(), 1000);
    it.scene.sql("UPDATE note SET body = 'other' WHERE id IN (2997, 3000)");
    it.scene.privacy(&["hold", "add", "school", "--reason", "case 8", "--subject", "p6"]).succeeds();
    let held = it.scene.count("note WHERE who = 'p6' AND id % 3 = 0");
    assert!(held > 0 && it.scene.count("note WHERE id IN (2997, 3000)") == 2, "it came too late to show anything");
    assert!(applying.wait().unwrap().success());
    assert_eq!(it.scene.count("note WHERE who = 'p6' AND id % 3 = 0"), held);
    assert_eq!(it.scene.sql("SELECT id, body FROM note WHERE id % 3 = 0 AND who <> 'p6'"), "2997|other\n3000|other");
    // The next run takes them as they are now.
    it.scene.apply().succeeds().says("old note: 2 rows");
    assert_eq!(it.lines().iter().filter(|line| line.contains("\"other\"")).count(), 2);
}

#[rstest]
fn a_store_that_fails_lets_no_row_go(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 30));
    it.policy(&it.rule("note", "", ""));
    // Where the archives' folder should be is a file.
    let folder = it.scene.sandbox.store().join("_caretaker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("archives"), "in the way").unwrap();
    it.scene.apply().exits(1).complains("store local");
    assert_eq!(it.scene.count("note"), 30);
    assert_eq!(it.scene.logged("disposition_failed").len(), 1);
    fs::remove_file(folder.join("archives")).unwrap();
    // What a writer that was cut off long ago has left goes as well.
    let left = folder.join("archives/school/old-note/20200101T000000Z-aaaaaa");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("rows.jsonl.zst.age"), "half").unwrap();
    it.scene.apply().succeeds().says("old note: 10 rows");
    assert_eq!(it.ids().len(), 10);
}

#[test]
fn a_store_that_becomes_full_ends_the_rule_and_what_went_is_archived() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 240));
    // 80 old rows that compress to half a megabyte each: one archive fits, the second does not.
    it.scene.sql("UPDATE note SET body = hex(randomblob(524288))");
    let _disk = Disk::mount(it.scene.sandbox.store(), "size=38m");
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().exits(1).complains("no space left");
    let left = it.scene.count("note WHERE id % 3 = 0");
    assert!(left > 0 && left < 80, "{left}");
    let ids = it.ids();
    assert_eq!((ids.len() as u64, it.manifests().len()), (80 - left, 1));
    let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(it.scene.count(&format!("note WHERE id IN ({list})")), 0);
}

#[test]
fn a_manifest_that_cannot_be_read_is_told_and_hides_no_other() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds();
    let odd = it.scene.sandbox.store().join("_caretaker/archives/school/old-note/20260101T000000Z-bbbbbb");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("manifest.json"), "{").unwrap();
    it.scene.privacy(&["archives"]).exits(6).says("old note").says("is no manifest of an archive");
    it.scene.apply().succeeds().says("is no manifest of an archive");
}

#[test]
fn an_archive_none_of_whose_rows_may_go_does_not_stay() {
    let it = Archiving::new(Kind::Postgres, &notes("note", 30));
    it.scene.sql(
        "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
         CREATE TRIGGER never BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION never()",
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("10 rows match all the same");
    assert_eq!((it.scene.count("note"), it.objects("rows.jsonl.zst.age").len()), (30, 0));
    assert_eq!(it.scene.logged("archives_removed")[0]["detail"]["why"], "none of its rows went");
}

#[rstest]
fn children_go_first_and_those_that_stay_keep_their_parents_out_of_the_archive(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let it = Archiving::new(
        kind,
        &format!(
            "{} CREATE TABLE answer (id integer PRIMARY KEY, note_id integer REFERENCES note, made timestamptz);
             INSERT INTO answer SELECT id, id, made FROM note; INSERT INTO answer VALUES (10000, 3, '{}');",
            notes("note", 300),
            days_ago(1)
        ),
    );
    it.policy(&format!("{}{}", it.rule("note", "", ""), it.rule("answer", "", "")));
    it.scene.apply().succeeds().says("old answer: 100 rows").says("old note: 99 rows");
    assert_eq!(it.ids().len(), 199);
    assert_eq!(it.scene.count("note WHERE id = 3"), 1);
}

#[test]
fn an_expired_archive_goes_with_the_policys_next_run_or_the_prune_unless_a_hold_may_need_it() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    it.policy(&it.rule("note", ", expire_after = '1 second'", ""));
    let age = || it.scene.sql(&format!("UPDATE note SET made = '{}' WHERE id <= 2", days_ago(200)));
    it.scene.apply().succeeds();
    let past = || {
        let at: jiff::Timestamp = it.manifests()[0]["expires"].as_str().unwrap().parse().unwrap();
        eventually("it expires", patient(), || (jiff::Timestamp::now() > at).then_some(()));
    };
    past();
    let hold = ["hold", "add", "school", "--table", "note", "--where", "id = 1", "--reason", "audit"];
    it.scene.privacy(&hold).succeeds();
    it.scene.apply().succeeds().says("1 archive has expired and stay");
    assert_eq!(it.manifests().len(), 1);
    let id = it.scene.privacy(&["hold", "list", "--format", "json"]).json()[0]["id"].as_str().unwrap().to_owned();
    it.scene.privacy(&["hold", "release", &id]).succeeds();
    age();
    // The run writes one and removes the one before.
    it.scene.apply().succeeds();
    assert_eq!(it.manifests().len(), 1);
    assert_eq!(it.ids(), [1, 2]);
    past();
    it.scene.sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("1 archive of rows deleted");
    assert!(it.objects("rows.jsonl.zst.age").is_empty() && it.manifests().is_empty());
    assert_eq!(it.scene.logged("archives_removed").len(), 2);
    it.scene.privacy(&["archives", "school"]).succeeds().says("no archives");
}

#[rstest]
fn an_erasure_names_the_archives_that_may_hold_the_person(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(
        kind,
        &format!(
            "CREATE TABLE person (id text PRIMARY KEY); INSERT INTO person VALUES ('p1'), ('p6'); {}",
            notes("note", 30)
        ),
    );
    let subject = "[privacy.school.subject]\ntable = 'person'\nkey = 'id'\ntombstone = 'nobody'\n\
        [[privacy.school.subject.references]]\ntable = 'note'\ncolumn = 'who'\nset = { who = 'tombstone' }\n";
    it.policy(&format!("{}{subject}", it.rule("note", ", expire_after = '7 years'", "")));
    it.scene.apply().succeeds();
    it.scene
        .privacy(&["erase", "school", "--subject", "p1", "--yes"])
        .succeeds()
        .says("1 archives of note in store local");
    let erasures = it.scene.privacy(&["erasures", "school", "--format", "json"]).json();
    let left = &erasures[0]["certificate"]["remains"]["archives"][0];
    assert_eq!((&left["rows"], &left["last_expires"]), (&10.into(), &it.manifests()[0]["expires"]));
}

#[test]
fn a_bucket_takes_archives_and_gives_them_back() {
    let it = Archiving::new(Kind::Postgres, &notes("note", 300));
    // Without a key rows are found by their pages.
    it.scene.sql("ALTER TABLE note DROP CONSTRAINT note_pkey");
    let bucket = S3::shared().bucket();
    let table = bucket.store("bucket", &bucket.s3.credentials_file(&it.scene.sandbox.path("")));
    let rule = it.rule("note", ", expire_after = '1 second'", "").replace("store = 'local'", "store = 'bucket'");
    it.scene.configure(&table, &format!("stores = ['local']\n{rule}"));
    it.scene.apply().succeeds().says("old note: 100 rows");
    let key = bucket.keys().into_iter().find(|key| key.ends_with("rows.jsonl.zst.age")).unwrap();
    let copy = it.scene.sandbox.path("copy.age");
    fs::write(&copy, bucket.get(&key)).unwrap();
    let read = stock::shell(r#"age -d -i "$1" "$2" | zstd -dcq | wc -l"#, &[&it.key, &copy]).succeeds().stdout;
    assert_eq!(read.trim(), "100");
    eventually("it expires", patient(), || {
        it.scene.apply().succeeds();
        bucket.keys().is_empty().then_some(())
    });
    // While it cannot be reached no row goes.
    it.scene.sql(&format!("UPDATE note SET made = '{}' WHERE id = 1", days_ago(100)));
    it.scene.configure(&table.replace(&bucket.name, "there-is-none"), &format!("stores = ['local']\n{rule}"));
    it.scene.apply().exits(1).complains("store bucket");
    assert_eq!(it.scene.count("note"), 200);
}

#[test]
fn backups_are_verified_and_pruned_beside_archives() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    let backup = format!(
        "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = '7 days'\nencrypt_to = ['{}']\n",
        it.public
    );
    // Whoever may read the backups may read the archives.
    it.scene.configure(&backup, &rule("note", "action = { archive = { store = 'local' } }"));
    it.scene.apply().succeeds();
    it.scene.sandbox.caretaker(&["job", "run", "backup.nightly"]).succeeds();
    it.scene.sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    let backup = it.scene.sandbox.backups("app").remove(0);
    it.scene.sandbox.caretaker(&["backup", "verify", backup.file_name().unwrap().to_str().unwrap()]).succeeds();
    assert_eq!(it.ids().len(), 10);
}

#[test]
fn archives_in_clear_or_to_nowhere_are_no_configuration() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&rule("note", "action = { archive = { store = 'local' } }"));
    scene.apply().exits(2).complains("no backup of `app` has `encrypt_to`");
    scene.policy(&rule("note", "action = { archive = { store = 'nowhere' } }"));
    scene.apply().exits(2).complains("unknown store `nowhere`");
    assert_eq!(scene.count("note"), 30);
}
