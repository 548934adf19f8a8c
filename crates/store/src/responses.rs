//! Kept answers of OpenAI's responses API: [`SqliteResponses`] in a file of its own, because it is read and
//! written while requests wait; [`MemoryResponses`] for tests. Both pass [`conformance`].

#[doc(hidden)]
pub mod conformance;
mod memory;
mod sqlite;

pub use memory::MemoryResponses;
pub use sqlite::SqliteResponses;

use pointsman_core::responses::{Chain, Kept, KeptResponse, MAX_CHAIN, ResponseLimits};
use pointsman_core::store::StoreError;

/// The first second that is not too old.
fn oldest(limits: &ResponseLimits, now: u64) -> u64 {
    // What was used exactly so long ago is gone.
    (now + 1).saturating_sub(limits.age.as_secs())
}

/// Whether there can be room for an answer at all.
fn fits(limits: &ResponseLimits, response: &KeptResponse) -> bool {
    response.size() <= limits.bytes && limits.count > 0 && limits.age.as_secs() > 0
}

/// Follows an answer to the beginning of its conversation.
fn follow(
    id: &str,
    max_bytes: u64,
    mut get: impl FnMut(&str) -> Result<Option<KeptResponse>, StoreError>,
) -> Result<Chain, StoreError> {
    let mut chain = Vec::new();
    let mut bytes = 0;
    let mut next = Some(id.to_owned());
    while let Some(id) = next {
        let Some(response) = get(&id)? else { return Ok(Chain::Missing(id)) };
        let upstream = matches!(response.kept, Kept::Upstream { .. });
        if upstream && !chain.is_empty() {
            return Ok(Chain::Missing(id));
        }
        bytes += response.size();
        if bytes > max_bytes || chain.len() == MAX_CHAIN {
            return Ok(Chain::TooLong);
        }
        // The provider knows what its own goes on from.
        next = response.previous.clone().filter(|_| !upstream);
        chain.push(response);
    }
    chain.reverse();
    Ok(Chain::Whole(chain))
}
