//! Client keys: found by SHA-256, compared in constant time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use pointsman_core::KeyDirectory;
use pointsman_core::principal::{KeyHash, Principal};
use subtle::ConstantTimeEq;

/// A key as configured.
#[derive(Clone, Debug)]
pub struct Key {
    /// SHA-256 of the key.
    pub hash: KeyHash,
    /// Whom it stands for.
    pub principal: Arc<Principal>,
}

/// All keys of a snapshot.
///
/// The table is indexed by eight bytes of the hash, and the whole hash is compared in constant time.
/// What a caller sends is hashed first, so that where a look-up ends says nothing of use about keys.
#[derive(Default)]
pub struct Keys {
    index: HashMap<u64, u32, foldhash::fast::RandomState>,
    keys: Box<[Key]>,
}

impl Keys {
    /// A directory of these keys, whose hashes differ.
    #[must_use]
    pub fn new(mut keys: Vec<Key>) -> Self {
        // Equal prefixes (2⁻⁶⁴ for a pair) stand next to each other; the index holds the first.
        keys.sort_unstable_by_key(|key| prefix(&key.hash));
        let mut index = HashMap::with_capacity_and_hasher(keys.len(), foldhash::fast::RandomState::default());
        for (position, key) in (0_u32..).zip(&keys) {
            index.entry(prefix(&key.hash)).or_insert(position);
        }
        Self { index, keys: keys.into_boxed_slice() }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All principals.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.keys.iter().map(|key| &key.principal)
    }
}

impl KeyDirectory for Keys {
    fn find(&self, hash: &KeyHash) -> Option<Arc<Principal>> {
        let first = self.index.get(&prefix(hash)).map_or(self.keys.len(), |first| *first as usize);
        let same_prefix = self.keys.get(first..)?.iter().take_while(|key| prefix(&key.hash) == prefix(hash));
        let mut found = None;
        for key in same_prefix {
            if bool::from(key.hash.ct_eq(hash)) {
                found = Some(&key.principal);
            }
        }
        found.cloned()
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

fn prefix(hash: &KeyHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hash: KeyHash, id: &str) -> Key {
        Key { hash, principal: Arc::new(Principal { key: Some(id.into()), ..Principal::default() }) }
    }

    #[test]
    fn keys_with_one_prefix_are_told_apart() {
        let (mut a, mut b, mut none) = ([7; 32], [7; 32], [7; 32]);
        (a[31], b[31], none[31]) = (1, 2, 3);
        let keys = Keys::new(vec![key([9; 32], "x"), key(b, "b"), key(a, "a"), key([0; 32], "y")]);
        let find = |hash| keys.find(&hash).and_then(|principal| principal.key.clone());
        assert_eq!(find(a).as_deref(), Some("a"));
        assert_eq!(find(b).as_deref(), Some("b"));
        assert_eq!(find([0; 32]).as_deref(), Some("y"));
        assert_eq!(find(none), None);
        assert_eq!(find([1; 32]), None);
        assert!(Keys::default().find(&[0; 32]).is_none());
    }
}
