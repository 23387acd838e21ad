//! password_expiry

use super::watch::{Says as _, Watch};
use crate::support::{Postgres, unique};

#[test]
fn a_password_that_ends_soon_is_named_until_it_has_a_new_date() {
    let postgres = Postgres::shared();
    let role = unique("role");
    let watch = Watch::new("password_expiry", &postgres.url("postgres"), "");
    let until = |date: &str| postgres.sql("postgres", &format!("ALTER ROLE \"{role}\" VALID UNTIL '{date}'"));
    let after = |days: i64| (watch.now() + jiff::SignedDuration::from_hours(24 * days)).to_string();
    watch.not_applicable();
    postgres.sql("postgres", &format!("CREATE ROLE \"{role}\" LOGIN VALID UNTIL 'infinity'"));
    watch.not_applicable();
    until(&after(60));
    watch.ok().says(&role);
    until(&after(10));
    watch.warns().says(&format!("the password of {role} ends in 9d"));
    until(&after(2));
    watch.critical().says("ALTER ROLE");
    until(&after(-2));
    watch.critical().says("ended");
    // Locked out long ago, on purpose.
    until("2020-01-01");
    watch.ok();
    until(&after(60));
    watch.ok();
    postgres.sql("postgres", &format!("DROP ROLE \"{role}\""));
}
