//! What models can do and cost: the committed catalogue, searched in place.
//!
//! `data/catalogue.tsv` is part of the binary and sorted by provider and model, so a look-up is a
//! binary search over its text: nothing is built at start-up and nothing stays on the heap. The
//! format is described in `docs/catalogue.md`; `scripts/derive_catalogue.py` writes it.

mod class;
pub mod date;
mod entry;
mod prices;
mod search;

pub use class::Class;
pub use entry::{Capabilities, CatalogueEntry, Mode};
pub use search::Suggestion;

use crate::vendors::Vendor;

static CATALOGUE: Catalogue = Catalogue { text: include_str!("../data/catalogue.tsv") };
/// The header's words before the version: `# catalogue 2 <version> <source>`.
const HEADER: &str = "# catalogue 2 ";

/// The catalogue that this build carries.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Entries of many providers, as sorted lines of text.
#[derive(Debug)]
pub struct Catalogue {
    text: &'static str,
}

impl Catalogue {
    /// The version of the price list: the first 32 bits of the SHA-256 of all entries.
    #[must_use]
    pub fn version(&self) -> u32 {
        let header = self.text.strip_prefix(HEADER).unwrap_or_default();
        header.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
    }

    /// The model of a vendor, by vendor name (`together`) or catalogue provider (`together_ai`), under
    /// the names that people type: with or without the catalogue's prefix, as a dated version of an
    /// undated entry or the other way round (only where all candidates have one price), or as a
    /// fine-tuned model (`ft:base:…`).
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<CatalogueEntry> {
        match crate::vendors::vendor(provider) {
            Some(vendor) => self.find_for(vendor, model),
            None => search::find(self.body(), provider, model),
        }
    }

    /// As [`Catalogue::find`], for a known vendor.
    #[must_use]
    pub fn find_for(&self, vendor: &Vendor, model: &str) -> Option<CatalogueEntry> {
        vendor.catalogue.iter().find_map(|provider| search::find(self.body(), provider, model))
    }

    /// The vendors, of those given, that offer exactly this bare name: the unique one may be meant by
    /// it, several are an ambiguity to report.
    pub fn offered_by<'a>(
        &'a self,
        model: &'a str,
        among: impl IntoIterator<Item = &'static Vendor> + 'a,
    ) -> impl Iterator<Item = &'static Vendor> + 'a {
        among.into_iter().filter(move |vendor| {
            vendor.catalogue.iter().any(|provider| search::exact(self.body(), provider, model).is_some())
        })
    }

    /// The entries that a name means as a person types it (see [`crate::names`]), of one provider or of
    /// all: those that share the strictest key that any entry shares, sorted by provider and name. Reads
    /// all names: for people, not for the request path.
    #[must_use]
    pub fn meant_by(&self, name: &str, provider: Option<&str>) -> Vec<CatalogueEntry> {
        search::meant(self, name, provider)
    }

    /// The `count` usable models whose names are nearest to `name` (bare or `vendor/model`), nearest
    /// first. Empty for names too long to be a slip of the keyboard. Costs about a millisecond: for
    /// error messages, not for the request path.
    #[must_use]
    pub fn closest(&self, name: &str, count: usize) -> Vec<Suggestion> {
        search::closest(self, name, count)
    }

    /// All names of a catalogue provider, those of twins too, with the entry that each leads to.
    pub fn names_of(&self, provider: &str) -> impl Iterator<Item = (&'static str, CatalogueEntry)> {
        search::names(self.body(), provider)
    }

    /// All entries of a catalogue provider, sorted by name.
    pub fn of(&self, provider: &str) -> impl Iterator<Item = CatalogueEntry> {
        search::block(self.body(), provider).lines().filter_map(CatalogueEntry::parse)
    }

    /// All entries, sorted by provider and name.
    pub fn entries(&self) -> impl Iterator<Item = CatalogueEntry> {
        self.body().lines().filter_map(CatalogueEntry::parse)
    }

    /// The lines below the header.
    fn body(&self) -> &'static str {
        self.text.split_once('\n').map_or("", |(_, body)| body)
    }
}

#[cfg(test)]
mod tests;
