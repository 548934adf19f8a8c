//! Vendors as data, the price catalogue, outcome classification and the simulated provider.
//!
//! Everything here is pure: no sockets, no clock. Start with [`vendors()`] for who can be called,
//! [`catalogue()`] for what their models can do and cost, [`classify()`] for what an answer's status
//! means, and [`simulated`] for the provider that answers where there is no other.

pub mod catalogue;
pub mod classify;
pub mod names;
pub mod openrouter;
pub mod price;
pub mod protocol;
pub mod simulated;
pub mod vendors;

pub use catalogue::{Capabilities, Catalogue, CatalogueEntry, Class, Mode, Suggestion, catalogue};
pub use classify::{
    ErrorInfo, blames_seal, classify, classify_body_error, limits_seen, parse_retry_after, refused_field,
    retry_after, tells_limit,
};
pub use price::{PriceError, PriceList, Prices, Scale, Tier, Units};
pub use protocol::{Call, Protocol, fits_path};
pub use vendors::{AuthStyle, Engine, Prefill, Quirks, Reasoning, Support, Vendor, engines, vendor, vendors};
