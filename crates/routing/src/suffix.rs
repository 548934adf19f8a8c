//! Suffixes of model names, such as a later `:cheapest`. Only known ones are split off, so that a
//! model whose own name holds a colon (`llama3:8b`) stays whole.

/// The known suffixes, without the colon. None yet.
pub const KNOWN_SUFFIXES: &[&str] = &[];

/// The name without its suffix, and the suffix if it is one of `known`.
pub(crate) fn split<'n>(name: &'n str, known: &[&'static str]) -> (&'n str, Option<&'static str>) {
    let Some((base, last)) = name.rsplit_once(':') else { return (name, None) };
    match known.iter().find(|suffix| **suffix == last) {
        Some(suffix) if !base.is_empty() => (base, Some(suffix)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_suffixes_are_split() {
        let known = &["cheapest"];
        assert_eq!(split("gpt-4o:cheapest", known), ("gpt-4o", Some("cheapest")));
        assert_eq!(split("llama3:8b:cheapest", known), ("llama3:8b", Some("cheapest")));
        assert_eq!(split("llama3:8b", known), ("llama3:8b", None));
        assert_eq!(split(":cheapest", known), (":cheapest", None));
        assert_eq!(split("llama3:8b", KNOWN_SUFFIXES), ("llama3:8b", None));
    }
}
