//! The macro that makes a section: a struct, its decoder and its JSON Schema.

/// Declares a struct whose fields are the keys of a YAML map. Doc comments become descriptions in the
/// JSON Schema; unknown keys are refused.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub(crate) struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)+
        }
    ) => {
        #[derive(Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)+
        }

        impl $crate::decode::Decode for $name {
            fn decode(
                node: &$crate::yaml::Node,
                cx: &mut $crate::decode::Context,
            ) -> Option<Self> {
                let entries = cx.map(node)?;
                cx.refuse_unknown(entries, &[$(stringify!($field)),+]);
                // Every field is read before any error ends this, so that all errors are told.
                $(let $field: Option<$type> = cx.field(node.place, entries, stringify!($field));)+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
}

pub(crate) use section;
