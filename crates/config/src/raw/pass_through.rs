//! Paths that are let through, as written.

use crate::decode::{OneOrMany, section};
use crate::raw::node::words;
use crate::yaml::Spanned;

section! {
    /// Paths that no handler serves and that are let through to the route's providers.
    pub(crate) struct PathRule {
        /// The methods.
        methods: OneOrMany<Method>,
        /// `/v1/…`, where `*` stands for one segment and a last `**` for one or more.
        path: Spanned<String>,
    }
}

section! {
    /// Paths that no handler serves and that are let through to a provider.
    pub(crate) struct KeyRule {
        /// The provider that answers.
        provider: Spanned<String>,
        /// The methods.
        methods: OneOrMany<Method>,
        /// `/v1/…`, where `*` stands for one segment and a last `**` for one or more.
        path: Spanned<String>,
    }
}

words! {
    /// A method of HTTP.
    pub(crate) enum Method {
        /// Reads.
        Get = "GET",
        /// Makes something.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Changes.
        Patch = "PATCH",
        /// Deletes.
        Delete = "DELETE",
    }
}
