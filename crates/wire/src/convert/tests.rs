//! All pairs of dialects: what a pair can carry comes back equal, what it cannot is declared.
//!
//! [`make`] makes requests and answers, [`facts`] says what is in them, apart from how a dialect says it.

mod answers;
mod cut;
mod facts;
mod losses;
mod make;
mod names;
mod order;
mod requests;

use pointsman_core::Dialect;

use super::codec::{Codec, codec};

/// The one provider of all dialects: proofs that it made it takes.
const PROVIDER: &str = "home";

fn codec_of(dialect: Dialect) -> &'static dyn Codec {
    codec(dialect).unwrap()
}

/// Every client's dialect with every provider's, but for its own.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = || Dialect::ALL.into_iter();
    all().flat_map(move |one| all().map(move |other| (one, other))).filter(|(one, other)| one != other)
}
