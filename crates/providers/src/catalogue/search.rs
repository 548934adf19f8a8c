//! Looking up names in the sorted text: exact, under other spellings, and nearest.

use std::cmp::Ordering;

use super::entry::Twin;
use super::{Catalogue, CatalogueEntry};
use crate::names;
use crate::vendors::{Support, Vendor, vendors};

/// Names longer than this are not compared: no model has one, and distance costs their length.
const LONGEST_COMPARED: usize = 96;

/// A model that may have been meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Who offers it; its [`Vendor::env`] says which variable would enable it.
    pub vendor: &'static Vendor,
    /// The model's name at that vendor.
    pub model: &'static str,
}

/// The entry of exactly this name, or the one that a twin of this name leads to.
pub(super) fn exact(body: &'static str, provider: &str, model: &str) -> Option<CatalogueEntry> {
    let line = line(body, provider, model)?;
    CatalogueEntry::parse(line).or_else(|| {
        let twin = Twin::parse(line)?;
        CatalogueEntry::parse(self::line(body, provider, twin.of)?).map(|entry| entry.of_twin(&twin))
    })
}

fn line(body: &'static str, provider: &str, model: &str) -> Option<&'static str> {
    let line = body[lower_bound(body, provider, model)..].lines().next()?;
    (key(line) == (provider, model)).then_some(line)
}

/// The entry that is meant by this name: see [`Catalogue::find`].
pub(super) fn find(body: &'static str, provider: &str, model: &str) -> Option<CatalogueEntry> {
    // Some names begin with their provider's once more, so the whole name comes first.
    find_bare(body, provider, model).or_else(|| {
        let rest = model.strip_prefix(provider)?.strip_prefix('/')?;
        find_bare(body, provider, rest)
    })
}

fn find_bare(body: &'static str, provider: &str, model: &str) -> Option<CatalogueEntry> {
    if let Some(entry) = exact(body, provider, model) {
        return Some(entry);
    }
    // A fine-tuned model costs what its base costs: `ft:gpt-4o-mini-2024-07-18:org:name:id`.
    if let Some(tuned) = model.strip_prefix("ft:") {
        let end = tuned.find(':').map_or(model.len(), |colon| colon + "ft:".len());
        return exact(body, provider, &model[..end]);
    }
    let base = undated(model).unwrap_or(model);
    let mut family = block_from(body, provider, base).filter(|entry| {
        entry.model == base || (entry.model.starts_with(base) && undated(entry.model) == Some(base))
    });
    let first = family.next()?;
    family.all(|other| other.price == first.price && other.mode == first.mode).then_some(first)
}

/// All lines of a provider.
pub(super) fn block(body: &'static str, provider: &str) -> &'static str {
    let rest = &body[lower_bound(body, provider, "")..];
    let end = rest.lines().take_while(|line| key(line).0 == provider).map(|line| line.len() + 1).sum();
    rest.get(..end).unwrap_or(rest)
}

/// All names of a provider with their entries.
pub(super) fn names(
    body: &'static str,
    provider: &str,
) -> impl Iterator<Item = (&'static str, CatalogueEntry)> + use<> {
    block(body, provider).lines().filter_map(move |line| {
        let (provider, name) = key(line);
        let entry = CatalogueEntry::parse(line).or_else(|| exact(body, provider, name))?;
        Some((name, entry))
    })
}

/// The entries of a provider whose names begin with `prefix`.
fn block_from(
    body: &'static str,
    provider: &str,
    prefix: &str,
) -> impl Iterator<Item = CatalogueEntry> + use<> {
    let (provider, prefix) = (provider.to_owned(), prefix.to_owned());
    body[lower_bound(body, &provider, &prefix)..]
        .lines()
        .take_while(move |line| key(line).0 == provider && key(line).1.starts_with(&prefix))
        .filter_map(move |line| CatalogueEntry::parse(line).or_else(|| exact(body, key(line).0, key(line).1)))
}

/// See [`Catalogue::meant_by`].
pub(super) fn meant(catalogue: &Catalogue, name: &str, provider: Option<&str>) -> Vec<CatalogueEntry> {
    let typed = names::typed(name);
    let words = typed.words.as_deref();
    if typed.squeezed.is_empty() {
        return Vec::new();
    }
    let mut best = (usize::MAX, Vec::new());
    let body = provider.map_or(catalogue.body(), |provider| block(catalogue.body(), provider));
    for line in body.lines() {
        let (provider, listed) = key(line);
        let keys = names::keys(listed);
        let levels = [
            keys.squeezed == typed.squeezed,
            words.is_some() && keys.bare == typed.squeezed,
            Some(&*keys.words) == words,
            Some(&*keys.undated) == words,
            Some(&*keys.family) == words,
        ];
        let Some(level) = levels.iter().position(|shared| *shared) else { continue };
        if level > best.0 {
            continue;
        }
        if let Some(entry) = exact(catalogue.body(), provider, listed) {
            if level < best.0 {
                best = (level, Vec::new());
            }
            // A twin leads to an entry that is there already.
            if !best
                .1
                .iter()
                .any(|other: &CatalogueEntry| (other.provider, other.model) == (entry.provider, entry.model))
            {
                best.1.push(entry);
            }
        }
    }
    best.1
}

/// The usable models nearest to `name` by edit distance, then by vendor order and name.
pub(super) fn closest(catalogue: &Catalogue, name: &str, count: usize) -> Vec<Suggestion> {
    if name.len() > LONGEST_COMPARED || count == 0 {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    let mut best: Vec<(usize, String, Suggestion)> = Vec::with_capacity(count + 1);
    for vendor in vendors().iter().filter(|vendor| vendor.support == Support::Usable) {
        let prefix = name.split_once('/').filter(|(first, _)| *first == vendor.name);
        let wanted = prefix.map_or(name.as_str(), |(_, rest)| rest);
        let lines = vendor.catalogue.iter().flat_map(|provider| block(catalogue.body(), provider).lines());
        for model in lines.map(|line| key(line).1) {
            // What differs in more than every second letter is another name.
            let worst = if best.len() < count { wanted.len() / 2 + 1 } else { best[count - 1].0 };
            // People leave out who made a model: `llama-3.3-70b` for `meta-llama/Llama-3.3-70B`.
            let short = model.rsplit('/').next().unwrap_or(model);
            let compared = if wanted.contains('/') { model } else { short };
            // The difference in length is a lower bound of the distance.
            if compared.len().abs_diff(wanted.len()) >= worst {
                continue;
            }
            let compared = compared.to_ascii_lowercase();
            let distance = strsim::levenshtein(wanted, &compared);
            // One vendor of a model is enough: the first of the table.
            if distance < worst && !best.iter().any(|(_, seen, _)| *seen == compared) {
                let at = best.partition_point(|(other, _, _)| *other <= distance);
                best.insert(at, (distance, compared, Suggestion { vendor, model }));
                best.truncate(count);
            }
        }
    }
    best.into_iter().map(|(_, _, suggestion)| suggestion).collect()
}

/// The name without a date at its end: `-2024-07-18`, `-20250929`.
fn undated(model: &str) -> Option<&str> {
    let shape = |tail: &str, pattern: &str| {
        tail.len() == pattern.len()
            && tail.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                _ => byte == wanted,
            })
    };
    ["-0000-00-00", "-00000000"].into_iter().find_map(|pattern| {
        let (name, tail) = model.split_at_checked(model.len().checked_sub(pattern.len())?)?;
        (shape(tail, pattern) && !name.is_empty()).then_some(name)
    })
}

/// The byte at which the first line with a key of at least (`provider`, `model`) begins.
fn lower_bound(body: &str, provider: &str, model: &str) -> usize {
    let bytes = body.as_bytes();
    let (mut low, mut high) = (0, body.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[low..middle].iter().rposition(|&b| b == b'\n').map_or(low, |at| low + at + 1);
        let line = body[start..].lines().next().unwrap_or_default();
        match key(line).cmp(&(provider, model)) {
            Ordering::Less => low = start + line.len() + 1,
            Ordering::Equal | Ordering::Greater => high = start,
        }
    }
    low.min(body.len())
}

/// Provider and model of a line.
fn key(line: &str) -> (&str, &str) {
    let (provider, rest) = line.split_once('\t').unwrap_or((line, ""));
    (provider, rest.split_once('\t').map_or(rest, |(model, _)| model))
}
