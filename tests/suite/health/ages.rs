//! transaction_id_age, multixact_age: a server of one's own, whose counters can be moved.

use super::watch::{Says as _, Watch};
use crate::support::OwnPostgres;

/// Takes as many transaction ids, by as many transactions.
const BURN: &str = "DO $$ BEGIN FOR i IN 1..2500 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;";

/// A row that is locked by a transaction and by its own subtransaction has a multixact.
const BURN_MULTI: &str = "DO $$ BEGIN FOR i IN 1..2500 LOOP
        PERFORM FROM held WHERE id = 1 FOR KEY SHARE;
        BEGIN PERFORM FROM held WHERE id = 1 FOR SHARE; RAISE unique_violation; EXCEPTION WHEN unique_violation THEN END;
        COMMIT; END LOOP; END $$;";

fn freeze(server: &OwnPostgres) {
    server.sql("postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS true");
    for database in ["postgres", "template0", "template1"] {
        server.sql(database, "VACUUM (FREEZE)");
    }
}

#[test]
fn the_age_of_transaction_ids_and_multixacts_grows_until_rows_are_frozen() {
    let server = OwnPostgres::start_with(&["autovacuum = off"]);
    // 2^31 of either: 0.000001 of them are 2,147.
    let thresholds = "warning = 0.000001\ncritical = 0.000002";
    let ids = Watch::new("transaction_id_age", &server.url("postgres"), thresholds);
    freeze(&server);
    ids.ok();
    server.sql("postgres", BURN);
    ids.warns().says("in database").says("table pg_catalog.");
    server.sql("postgres", BURN);
    ids.critical().says("oldest_snapshot");
    freeze(&server);
    ids.ok();

    server.sql("postgres", "CREATE TABLE held (id int PRIMARY KEY); INSERT INTO held VALUES (1)");
    let multis = Watch::new("multixact_age", &server.url("postgres"), thresholds);
    multis.ok();
    server.sql("postgres", BURN_MULTI);
    multis.warns().says("oldest multixact");
    server.sql("postgres", BURN_MULTI);
    multis.critical();
    freeze(&server);
    multis.ok();
}
