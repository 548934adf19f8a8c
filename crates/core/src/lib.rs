//! The words of the domain and the narrow traits that cross features.
//!
//! Nothing here does I/O. Start with [`record::RequestRecord`] to see what one request is worth
//! remembering, and with [`outcome::Outcome`] to see how an attempt can end.

pub mod calendar;
pub mod clock;
pub mod dialect;
pub mod error;
pub mod ids;
pub mod limits;
pub mod model;
pub mod money;
pub mod objects;
pub mod outcome;
pub mod principal;
pub mod record;
pub mod responses;
pub mod rng;
pub mod session;
pub mod store;
pub mod usage;

pub use clock::{Clock, Deadline};
pub use dialect::Dialect;
pub use error::{ErrorCode, Fault, PublicError};
pub use ids::{RequestId, RequestIds};
pub use limits::{LimitsSeen, Window};
pub use model::{DeploymentKey, ModelRef, Operation};
pub use money::{Cost, Money, Price};
pub use outcome::{Outcome, Phase};
pub use principal::{KeyDirectory, Principal};
pub use record::{AttemptRecord, RequestRecord};
pub use rng::Rng;
pub use session::SessionTable;
pub use usage::{Service, Usage, UsageDetail, UsageSource};
