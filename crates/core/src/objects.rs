//! Objects that providers keep for callers (files, batches): whose they are, and who keeps them.

use crate::store::StoreError;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A file.
    File,
    /// A batch.
    Batch,
}

impl ObjectKind {
    /// The word in stores and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Batch => "batch",
        }
    }
}

/// An object and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedObject {
    /// The id of the client key that made it; empty where there are no keys.
    pub owner: String,
    /// What it is.
    pub kind: ObjectKind,
    /// As the provider calls it.
    pub id: String,
    /// The configured name of the provider that keeps it.
    pub provider: String,
}

/// Remembers who owns which object. Bounded: the oldest are forgotten. Calls may block.
pub trait ObjectOwners: Send + Sync {
    /// Remembers an object; again changes nothing but its provider.
    ///
    /// # Errors
    /// Where it could not be kept.
    fn keep(&self, object: &OwnedObject) -> Result<(), StoreError>;

    /// The provider that keeps this owner's object; `None` also where it is somebody else's.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn provider(&self, owner: &str, kind: ObjectKind, id: &str) -> Result<Option<String>, StoreError>;

    /// All ids of one owner, newest first, each with its provider.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn list(&self, owner: &str, kind: ObjectKind) -> Result<Vec<OwnedObject>, StoreError>;

    /// Forgets an object.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn forget(&self, owner: &str, kind: ObjectKind, id: &str) -> Result<(), StoreError>;
}
