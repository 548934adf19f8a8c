//! An answer that broke off in the middle is gone on with by somebody else, and its client sees one answer.
//!
//! [`Shown`] reads back what the client was shown and leaves an encoder that goes on from there: the same
//! ids, numbers and indices. [`GoOn`] turns the client's request into one for the rest of the answer.
//! [`Rejoin`] reads the stream that comes of it, has [`Joint`] cut away what is said twice, and writes the
//! rest for the client. [`Hold`] keeps calls of tools back until their arguments are whole, so that a cut
//! before that is never seen.
//!
//! Nothing here waits, sends or knows the time.

mod arguments;
mod call;
mod check;
mod hold;
mod joint;
mod opener;
mod rejoin;
mod request;
mod said;
mod shown;
mod stops;
mod surrogate;
#[cfg(test)]
mod tests;

pub use hold::Hold;
pub use joint::{Dropped, Joint, Manner};
pub use rejoin::{Before, Plan, Rejoin};
pub use request::{GoOn, INSTRUCTION, Mark, Terms};
pub use said::{Obstacle, Said, Way};
pub use shown::Shown;
