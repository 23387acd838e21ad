//! An erasure applied again, to a copy that was made before it. The ledger stays as it is.

use super::erasing::{End, search, still_found};
use super::person::{self, Person};
use super::receive::random;
use super::steps::steps;
use super::{Erasing, check};
use crate::privacy::ground::Ground;
use crate::privacy::plan::Setting;
use crate::run::{Failure, Refusal};

impl Erasing<'_> {
    /// Erases a person from a copy, and searches it afterwards. Gives the number of rows that are gone or changed.
    ///
    /// # Errors
    ///
    /// A refusal where it cannot come to its end, or where a hold keeps the person.
    pub async fn again(&self, ground: &mut dyn Ground, setting: &Setting<'_>, person: &Person) -> Result<u64, Failure> {
        let subject = person::subject(setting)?;
        let random = random(ground, subject).await?;
        let steps = steps(setting, subject, person, random.as_deref()).map_err(person::wrong)?;
        check::all(ground, setting, subject, person, &steps).await?;
        let done = match self.carry_out(ground, setting, person, &steps, None).await? {
            End::Done(done) => done,
            End::Held(holds) => {
                let message = format!("a person who was erased is held by {}", holds.join(", "));
                return Err(Failure { refused: Some(Refusal::Safety), ..Failure::new(message) }
                    .hint("`caretaker privacy hold list` says why"));
            }
        };
        match still_found(&search(ground, &steps).await?) {
            Some(message) => Err(Failure::new(message)),
            None => Ok(done.iter().map(|found| found.rows).sum()),
        }
    }
}
