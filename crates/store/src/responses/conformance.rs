//! What every store of answers has to do, as checks that any can be put through.

use std::time::Duration;

use bytes::Bytes;
use pointsman_core::responses::{Chain, Kept, KeptResponse, ResponseLimits, ResponseStore};
use pointsman_core::store::StoreError;

/// How many checks there are.
pub const CASES: usize = 10;

const NOW: u64 = 1_795_305_600;
const PLENTY: u64 = 1 << 30;

type Case<S> = fn(&mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>) -> Result<(), StoreError>;

/// Runs every case on fresh stores and answers how many there were.
///
/// # Errors
/// Where the store fails; a store that answers wrongly makes an assertion panic.
pub fn run<S: ResponseStore>(
    mut fresh: impl FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<usize, StoreError> {
    let cases: [Case<S>; CASES] = [
        answers_belong_to_their_owner,
        both_kinds_come_back_whole,
        the_same_again_replaces,
        several_at_once_are_kept_in_their_order,
        conversations_are_followed_to_their_beginning,
        conversations_with_a_gap_are_not,
        conversations_that_are_too_long_are_not,
        what_is_too_old_is_gone,
        the_number_and_the_bytes_are_bounded,
        what_was_used_longest_ago_goes_first,
    ];
    for case in cases {
        case(&mut fresh)?;
    }
    Ok(cases.len())
}

/// An answer that is kept here.
#[must_use]
pub fn here(owner: &str, id: &str, previous: Option<&str>, text: &str) -> KeptResponse {
    KeptResponse {
        owner: owner.to_owned(),
        id: id.to_owned(),
        previous: previous.map(str::to_owned),
        provider: "p".to_owned(),
        model: "m".to_owned(),
        kept: Kept::Here {
            input: Bytes::from(format!("[{text:?}]")),
            response: Bytes::from(format!("{{\"id\":{id:?}}}")),
        },
    }
}

fn upstream(owner: &str, id: &str) -> KeptResponse {
    KeptResponse { kept: Kept::Upstream { key: 3 }, ..here(owner, id, None, "") }
}

fn usual<S>(fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>) -> Result<S, StoreError> {
    fresh(ResponseLimits::default())
}

fn answers_belong_to_their_owner<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    assert_eq!(store.get("a", "resp_1", NOW)?, None);
    let (first, second) = (here("a", "resp_1", None, "of a"), here("b", "resp_1", None, "of b"));
    assert!(store.keep(&first, NOW)? && store.keep(&second, NOW)?);
    assert_eq!(store.get("a", "resp_1", NOW)?, Some(first));
    assert_eq!(store.get("b", "resp_1", NOW)?, Some(second.clone()));
    assert_eq!(store.get("", "resp_1", NOW)?, None);
    assert!(store.forget("a", "resp_1")?);
    assert!(!store.forget("a", "resp_1")? && !store.forget("c", "resp_1")?);
    assert_eq!(store.get("a", "resp_1", NOW)?, None);
    assert_eq!(store.get("b", "resp_1", NOW)?, Some(second));
    assert_eq!(store.chain("a", "resp_1", NOW, PLENTY)?, Chain::Missing("resp_1".into()));
    Ok(())
}

fn both_kinds_come_back_whole<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    let kept = here("", "resp_1", Some("resp_0"), "\u{e9}\u{0}\n");
    store.keep(&kept, NOW)?;
    store.keep(&upstream("", "resp_2"), NOW)?;
    assert_eq!(store.get("", "resp_1", NOW)?, Some(kept));
    assert_eq!(store.get("", "resp_2", NOW)?, Some(upstream("", "resp_2")));
    assert_eq!(store.chain("", "resp_2", NOW, PLENTY)?, Chain::Whole(vec![upstream("", "resp_2")]));
    Ok(())
}

fn the_same_again_replaces<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    store.keep(&upstream("a", "resp_1"), NOW)?;
    let newer = here("a", "resp_1", None, "newer");
    store.keep(&newer, NOW)?;
    assert_eq!(store.get("a", "resp_1", NOW)?, Some(newer));
    Ok(())
}

fn several_at_once_are_kept_in_their_order<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = fresh(ResponseLimits { count: 2, bytes: 4_096, ..ResponseLimits::default() })?;
    let long = "x".repeat(8_192);
    let batch = [
        here("a", "resp_1", None, "first"),
        here("a", "resp_2", None, "too soon"),
        here("a", "resp_3", None, &long),
        here("a", "resp_2", None, "again"),
        here("a", "resp_4", None, "last"),
    ];
    assert_eq!(store.keep_all(&batch, NOW)?, [true, true, false, true, true]);
    let found = |id| store.get("a", id, NOW);
    assert_eq!((found("resp_1")?, found("resp_3")?), (None, None));
    assert_eq!((found("resp_2")?.as_ref(), found("resp_4")?.as_ref()), (Some(&batch[3]), Some(&batch[4])));
    assert_eq!(store.keep_all(&[], NOW)?, [false; 0]);
    Ok(())
}

fn conversations_are_followed_to_their_beginning<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    let all = [here("a", "1", None, "x"), here("a", "2", Some("1"), "y"), here("a", "3", Some("2"), "z")];
    // Another branch of the same conversation.
    for response in all.iter().chain([&here("a", "4", Some("1"), "other")]) {
        store.keep(response, NOW)?;
    }
    assert_eq!(store.chain("a", "3", NOW, PLENTY)?, Chain::Whole(all.to_vec()));
    assert_eq!(store.chain("b", "3", NOW, PLENTY)?, Chain::Missing("3".into()));
    Ok(())
}

fn conversations_with_a_gap_are_not<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    store.keep(&here("a", "2", Some("1"), "y"), NOW)?;
    assert_eq!(store.chain("a", "2", NOW, PLENTY)?, Chain::Missing("1".into()));
    store.keep(&here("b", "1", None, "somebody else's"), NOW)?;
    assert_eq!(store.chain("a", "2", NOW, PLENTY)?, Chain::Missing("1".into()));
    // What a provider keeps cannot be read from here.
    store.keep(&upstream("a", "1"), NOW)?;
    assert_eq!(store.chain("a", "2", NOW, PLENTY)?, Chain::Missing("1".into()));
    Ok(())
}

fn conversations_that_are_too_long_are_not<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = usual(fresh)?;
    let (first, second) = (here("a", "1", None, &"x".repeat(500)), here("a", "2", Some("1"), "y"));
    let size = first.size() + second.size();
    store.keep(&first, NOW)?;
    store.keep(&second, NOW)?;
    assert_eq!(store.chain("a", "2", NOW, size - 1)?, Chain::TooLong);
    assert!(matches!(store.chain("a", "2", NOW, size)?, Chain::Whole(_)));
    // One that goes round in circles has no end.
    store.keep(&here("a", "1", Some("2"), "x"), NOW)?;
    assert_eq!(store.chain("a", "2", NOW, PLENTY)?, Chain::TooLong);
    Ok(())
}

fn what_is_too_old_is_gone<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = fresh(ResponseLimits { age: Duration::from_secs(100), ..ResponseLimits::default() })?;
    store.keep(&here("a", "1", None, "x"), NOW)?;
    store.keep(&here("a", "2", Some("1"), "x"), NOW)?;
    assert!(store.get("a", "1", NOW + 99)?.is_some());
    assert_eq!(store.get("a", "1", NOW + 100)?, None);
    assert_eq!(store.chain("a", "1", NOW + 100, PLENTY)?, Chain::Missing("1".into()));
    // A conversation that goes on is not old, from its beginning on.
    assert!(matches!(store.chain("a", "2", NOW + 60, PLENTY)?, Chain::Whole(_)));
    assert!(matches!(store.chain("a", "2", NOW + 120, PLENTY)?, Chain::Whole(_)));
    store.keep(&here("b", "3", None, "x"), NOW + 500)?;
    assert_eq!(store.get("a", "1", NOW)?, None, "what is too old is deleted");
    Ok(())
}

fn the_number_and_the_bytes_are_bounded<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let ids = |store: &S, count: u64| -> Result<Vec<u64>, StoreError> {
        let mut found = Vec::new();
        for id in 0..count {
            if store.get("a", &id.to_string(), NOW)?.is_some() {
                found.push(id);
            }
        }
        Ok(found)
    };
    let store = fresh(ResponseLimits { count: 3, ..ResponseLimits::default() })?;
    for id in 0..8 {
        assert!(store.keep(&here("a", &id.to_string(), None, "x"), NOW + id)?);
    }
    assert_eq!(ids(&store, 8)?, [5, 6, 7]);
    let size = here("a", "0", None, "x").size();
    let store = fresh(ResponseLimits { bytes: 2 * size, ..ResponseLimits::default() })?;
    for id in 0..8 {
        assert!(store.keep(&here("a", &id.to_string(), None, "x"), NOW)?);
    }
    assert_eq!(ids(&store, 8)?, [6, 7]);
    assert!(!store.keep(&here("a", "8", None, &"x".repeat(1_000)), NOW)?, "there is no room for it");
    assert_eq!(store.get("a", "8", NOW)?, None);
    assert_eq!(ids(&store, 8)?, [6, 7], "and nothing goes for it");
    Ok(())
}

fn what_was_used_longest_ago_goes_first<S: ResponseStore>(
    fresh: &mut dyn FnMut(ResponseLimits) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let store = fresh(ResponseLimits { count: 2, ..ResponseLimits::default() })?;
    store.keep(&here("a", "1", None, "x"), NOW)?;
    store.keep(&here("b", "2", None, "x"), NOW + 1)?;
    store.chain("a", "1", NOW + 2, PLENTY)?;
    store.keep(&here("c", "3", None, "x"), NOW + 3)?;
    assert!(store.get("a", "1", NOW + 3)?.is_some() && store.get("c", "3", NOW + 3)?.is_some());
    assert_eq!(store.get("b", "2", NOW + 3)?, None);
    Ok(())
}
