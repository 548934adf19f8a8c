//! Why a name does not resolve, for callers; why a graph does not compile, for the operator.

use std::fmt;
use std::sync::Arc;

use pointsman_core::{ErrorCode, PublicError};

use crate::spec::Place;

/// A request's model name that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No model, route or alias has this name.
    #[error("no model, route or alias is named `{name}`{}", Advice(closest, enable.as_deref()))]
    Unknown {
        /// As asked for, cut to a sensible length.
        name: Box<str>,
        /// Up to three names that are known, closest first.
        closest: Vec<Arc<str>>,
        /// The environment variable that would enable a provider of this model.
        enable: Option<Arc<str>>,
    },
    /// More than one provider has a model of this name.
    #[error("`{name}` is ambiguous: name one of {}", List(choices))]
    Ambiguous {
        /// As asked for.
        name: Box<str>,
        /// The full names to choose from.
        choices: Vec<Arc<str>>,
    },
}

impl ResolveError {
    /// The name as asked for, cut to a sensible length.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Ambiguous { name, .. } => name,
        }
    }
}

impl From<ResolveError> for PublicError {
    fn from(error: ResolveError) -> Self {
        let code = match error {
            ResolveError::Unknown { .. } => ErrorCode::ModelNotFound,
            ResolveError::Ambiguous { .. } => ErrorCode::ModelAmbiguous,
        };
        Self::new(code, error.to_string()).at("model")
    }
}

/// A route or alias that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// Where it was written.
    pub place: Place,
    /// What is wrong.
    pub kind: BuildErrorKind,
}

/// What is wrong with a route or alias.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildErrorKind {
    /// A name that leads nowhere.
    #[error("{}", headline(.0))]
    Resolve(ResolveError),
    /// `model:` with the name of a route or an alias.
    #[error("`{name}` is a route or an alias, not a model")]
    NotAModel {
        /// As written.
        name: Box<str>,
    },
    /// `route:` with a name that no route has.
    #[error("no route is named `{name}`")]
    UnknownRoute {
        /// As written.
        name: Box<str>,
        /// Routes with a similar name.
        closest: Vec<Arc<str>>,
    },
    /// Routes or aliases that lead back to themselves.
    #[error("`{}` leads back to itself: {}", path.first().map_or("", |n| n), Path(path))]
    Cycle {
        /// The names on the way; the first is also the last.
        path: Vec<Arc<str>>,
    },
    /// `first`, `split` or `balance` without elements.
    #[error("`{0}` needs at least one element")]
    Empty(&'static str),
    /// A weight of zero.
    #[error("a weight of 0 would never be drawn")]
    ZeroWeight,
    /// A name that starts with a provider's name can never be reached.
    #[error("the name `{name}` would be read as a model of provider `{provider}`")]
    Shadowed {
        /// The route's or alias' name.
        name: Box<str>,
        /// The provider.
        provider: Arc<str>,
    },
    /// A route and an alias, or two of either, of one name.
    #[error("`{name}` is already the name of a route or an alias")]
    Duplicate {
        /// The name.
        name: Box<str>,
    },
    /// Nesting beyond what a plan may walk through.
    #[error("nested deeper than {max} nodes, counted through the routes it names")]
    TooDeep {
        /// The limit.
        max: u32,
    },
    /// More leaves than a plan may have.
    #[error("leads to more than {max} candidates, counted through the routes it names")]
    TooMany {
        /// The limit.
        max: u64,
    },
}

impl BuildErrorKind {
    /// How to mend it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Resolve(ResolveError::Unknown { enable: Some(variable), .. }) => {
                Some(format!("setting {variable} would enable it"))
            }
            Self::Resolve(ResolveError::Unknown { closest, .. }) => {
                (!closest.is_empty()).then(|| format!("did you mean {}?", List(closest)))
            }
            Self::NotAModel { name } => Some(format!("write `{name}` alone, without `model:`")),
            Self::Resolve(ResolveError::Ambiguous { choices, .. }) => {
                Some(format!("write one of {}", List(choices)))
            }
            Self::UnknownRoute { closest, .. } => {
                (!closest.is_empty()).then(|| format!("did you mean {}?", List(closest)))
            }
            Self::Cycle { .. } => {
                Some("write `model: provider/model` where you mean the model itself".into())
            }
            Self::ZeroWeight => Some("leave the branch out, or give it a weight of at least 1".into()),
            Self::Shadowed { .. } => Some("choose a name whose first segment is no provider".into()),
            Self::Empty(_) | Self::Duplicate { .. } | Self::TooDeep { .. } | Self::TooMany { .. } => None,
        }
    }
}

/// The advice goes into the hint, so it is left out here.
fn headline(error: &ResolveError) -> String {
    match error {
        ResolveError::Unknown { name, .. } => format!("no model, route or alias is named `{name}`"),
        ResolveError::Ambiguous { name, choices } => {
            format!("`{name}` is ambiguous: {} providers have it", choices.len())
        }
    }
}

struct Advice<'a>(&'a [Arc<str>], Option<&'a str>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            write!(f, "; closest: {}", List(self.0))?;
        }
        match self.1 {
            Some(variable) => write!(f, "; setting {variable} would enable it"),
            None => Ok(()),
        }
    }
}

struct List<'a>(&'a [Arc<str>]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "`{name}`")?;
        }
        Ok(())
    }
}

struct Path<'a>(&'a [Arc<str>]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" → ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}
