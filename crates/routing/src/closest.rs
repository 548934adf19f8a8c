//! The names closest to one that is not known. A 64-bit sketch of each name's letter pairs keeps
//! this cheap with thousands of names: anyone may ask for unknown models as often as they like.

use std::sync::Arc;

/// How many names the sketches let through to the exact comparison.
const SHORTLIST: usize = 24;
/// How many bytes of an unknown name are looked at.
const MAX_QUERY: usize = 128;

/// All names that may be offered, with their sketches.
#[derive(Debug, Default)]
pub(crate) struct Closest {
    names: Vec<(u64, Arc<str>)>,
}

impl Closest {
    pub(crate) fn new(names: impl Iterator<Item = Arc<str>>) -> Self {
        let mut names: Vec<_> = names.map(|name| (sketch(&name), name)).collect();
        // Names come from hash tables: sorting makes the answer the same in every process.
        names.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        names.dedup_by(|a, b| a.1 == b.1);
        Self { names }
    }

    /// The `count` closest names, closest first, none of them less similar than `least` (0 to 1).
    pub(crate) fn find(&self, query: &str, count: usize, least: f64) -> Vec<Arc<str>> {
        self.find_among(query, count, least, |_| true)
    }

    /// The same among the names that `may` lets through.
    pub(crate) fn find_among(
        &self,
        query: &str,
        count: usize,
        least: f64,
        may: impl Fn(&str) -> bool,
    ) -> Vec<Arc<str>> {
        let query = truncate(query, MAX_QUERY).to_ascii_lowercase();
        let wanted = sketch(&query);
        let allowed = self.names.iter().filter(|(_, name)| may(name));
        let mut shortlist: Vec<(u32, &Arc<str>)> =
            allowed.map(|(sketch, name)| (distance(wanted, *sketch), name)).collect();
        if shortlist.len() > SHORTLIST {
            shortlist.select_nth_unstable(SHORTLIST);
            shortlist.truncate(SHORTLIST);
        }
        let mut scored: Vec<(f64, &Arc<str>)> =
            shortlist.into_iter().map(|(_, name)| (similarity(&query, name), name)).collect();
        scored.retain(|(score, _)| *score >= least);
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        scored.into_iter().take(count).map(|(_, name)| Arc::clone(name)).collect()
    }
}

/// The first `max` bytes of `text`, or a little less where that would cut a character.
pub(crate) fn truncate(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// The better of comparing with the whole name and with what follows its provider: people leave
/// out the provider or guess a wrong one.
fn similarity(query: &str, name: &str) -> f64 {
    let lower = name.to_ascii_lowercase();
    let whole = strsim::jaro_winkler(query, &lower);
    let (_, short) = lower.split_once('/').unwrap_or(("", &lower));
    let (_, short_query) = query.split_once('/').unwrap_or(("", query));
    // The provider does count a little, so that of two equal models the named provider's is first.
    whole.max(strsim::jaro_winkler(short_query, short) - 0.01)
}

/// Bits that only one of the two has.
fn distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

fn sketch(name: &str) -> u64 {
    let short = name.split_once('/').map_or(name, |(_, rest)| rest);
    let mut bits = 0;
    for pair in short.as_bytes().windows(2) {
        let (a, b) = (u64::from(pair[0].to_ascii_lowercase()), u64::from(pair[1].to_ascii_lowercase()));
        // Any spreading multiplier does; the top six bits choose the bit.
        bits |= 1 << (((a << 8) | b).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closest(names: &[&str], query: &str) -> Vec<String> {
        let names = Closest::new(names.iter().map(|name| Arc::from(*name)));
        names.find(query, 3, 0.6).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn misspelt_names_are_found_with_and_without_provider() {
        let names = ["openai/gpt-4o", "openai/gpt-4o-mini", "groq/llama-3.3-70b", "ollama/qwen3:8b", "fast"];
        assert_eq!(closest(&names, "gtp-4o-mini")[0], "openai/gpt-4o-mini");
        assert_eq!(closest(&names, "llama3.3-70b")[0], "groq/llama-3.3-70b");
        assert_eq!(closest(&names, "Fats")[0], "fast");
        assert_eq!(closest(&names, "ollama/gpt-4o")[0], "openai/gpt-4o");
    }

    #[test]
    fn nothing_near_gives_nothing_and_long_queries_are_bounded() {
        assert!(closest(&["alpha", "beta"], "xyzzy").is_empty());
        assert!(closest(&["alpha"], &"é".repeat(1_000_000)).is_empty());
    }

    #[test]
    fn the_right_one_of_thousands_survives_the_shortlist() {
        let names: Vec<String> = (0..5_000).map(|n| format!("p{}/model-{n:04}-instruct", n % 50)).collect();
        let names = Closest::new(names.iter().map(|name| Arc::from(name.as_str())));
        assert_eq!(&*names.find("model-4321-instrct", 1, 0.0)[0], "p21/model-4321-instruct");
    }
}
