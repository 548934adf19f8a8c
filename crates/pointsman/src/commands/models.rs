//! `pointsman models`: every name that a request may use, or the whole catalogue, with class, context length and
//! prices. `models/document.rs` has it as JSON.

mod document;

use std::sync::Arc;

use pointsman_config::{Deployment, Snapshot};
use pointsman_core::Service;
use pointsman_providers::price::{write_usd, write_usd_per_million};
use pointsman_providers::{CatalogueEntry, Class, PriceList, Prices, Units, catalogue, vendor, vendors};
use pointsman_routing::{Resolved, Resolver};

use super::records::UNKNOWN;
use super::world::{self, Sources};
use crate::cli::Models;
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// A model, and what is known of it.
struct Row {
    /// `provider/model`.
    name: String,
    provider: String,
    model: String,
    /// What it costs here, which may be less than the catalogue says; for what only pieces cost, what they cost.
    price: Option<PriceList>,
    context_length: Option<u32>,
    entry: Option<CatalogueEntry>,
}

/// Lists them.
pub(crate) fn run(args: &Models) -> Result<(), Failure> {
    let class = args.class.as_deref().and_then(Class::from_word);
    if args.all {
        let rows = listed(args.provider.as_deref(), class)?;
        return show(args, &rows, &[], "");
    }
    let sources = Sources::read(&args.config)?;
    let snapshot = world::runtime()?.block_on(sources.discover(&world::online()?))?;
    let provider = args.provider.as_deref();
    if let Some(name) = provider.filter(|name| snapshot.provider_named(name).is_none()) {
        let known: Vec<&str> = snapshot.providers.iter().map(|provider| &*provider.name).collect();
        let message = format!("there is no provider `{}`", output::plain(name));
        return Err(Failure::new(message).hint(format!("there are: {}", known.join(", "))));
    }
    let deployments = snapshot.deployments.iter();
    let rows: Vec<_> = deployments
        .filter(|deployment| provider.is_none_or(|name| *deployment.key.provider == *name))
        .map(|deployment| Row::of(deployment))
        .filter(|row| class.is_none_or(|class| row.class() == Some(class)))
        .collect();
    let own: Vec<_> = match (provider, class) {
        (None, None) => own_names(&snapshot.resolver).collect(),
        _ => Vec::new(),
    };
    let notes = match class {
        Some(class) if rows.is_empty() => {
            let class = class.as_str();
            format!(
                "No model of the configured providers is in the class {class}; \
                 `pointsman models --all --class {class}` shows those of the catalogue.\n"
            )
        }
        Some(_) => String::new(),
        None => notes(&snapshot, provider),
    };
    show(args, &rows, &own, &notes)
}

impl Row {
    fn of(deployment: &Deployment) -> Self {
        let vendor = deployment.provider.vendor.and_then(vendor);
        let entry = vendor.and_then(|vendor| catalogue().find_for(vendor, &deployment.key.model));
        let listed = || entry.as_ref().and_then(|entry| entry.price.clone());
        Self {
            name: deployment.name.to_string(),
            provider: deployment.key.provider.to_string(),
            model: deployment.key.model.to_string(),
            price: deployment.price.as_deref().cloned().or_else(listed),
            context_length: deployment.context_length,
            entry,
        }
    }

    fn listed(provider: &str, entry: CatalogueEntry) -> Self {
        Self {
            name: format!("{provider}/{}", entry.model),
            provider: provider.to_owned(),
            model: entry.model.to_owned(),
            price: entry.price.clone(),
            context_length: entry.max_input,
            entry: Some(entry),
        }
    }

    fn class(&self) -> Option<Class> {
        self.entry.as_ref().map(|entry| entry.class)
    }

    /// What the other columns do not say.
    fn note(&self) -> String {
        let mut notes = Vec::new();
        if let Some(price) = &self.price {
            notes.extend(
                price
                    .tiers()
                    .first()
                    .map(|tier| format!("other prices above {} tokens in", tier.above_input)),
            );
            notes.extend(pieces(price.units()).map(|(usd, piece)| format!("{usd} USD for each {piece}")));
            let others = Service::ALL.into_iter().skip(1).filter(|service| price.service(*service).is_some());
            let others: Vec<&str> = others.map(Service::as_str).collect();
            if !others.is_empty() {
                notes.push(format!("other prices for {}", others.join(", ")));
            }
        }
        let date = self.entry.as_ref().and_then(|entry| entry.deprecated);
        notes.extend(date.map(|date| format!("deprecated: off as of {date}")));
        notes.join("; ")
    }
}

/// The whole catalogue, or one provider's part of it, by the names of vendors.
fn listed(provider: Option<&str>, class: Option<Class>) -> Result<Vec<Row>, Failure> {
    let named = |given: &'static str| {
        let vendor = vendors().iter().find(|vendor| vendor.catalogue.contains(&given));
        vendor.map_or(given, |vendor| vendor.name)
    };
    let all = catalogue().entries().map(|entry| Row::listed(named(entry.provider), entry));
    let rows: Vec<_> = all.filter(|row| provider.is_none_or(|name| row.provider == name)).collect();
    match provider {
        Some(name) if rows.is_empty() => {
            let message = format!("the catalogue has no provider `{}`", output::plain(name));
            Err(Failure::new(message).hint("`pointsman models --all` lists them all"))
        }
        _ => {
            Ok(rows.into_iter().filter(|row| class.is_none_or(|class| row.class() == Some(class))).collect())
        }
    }
}

fn show(args: &Models, rows: &[Row], own: &[(Arc<str>, String)], notes: &str) -> Result<(), Failure> {
    if args.json {
        return output::print(&format!("{:#}\n", document::document(rows, own)));
    }
    let table = table(rows, own);
    let gap = if table.is_empty() || notes.is_empty() { "" } else { "\n" };
    let table = if table.is_empty() { String::new() } else { table.to_string() };
    output::print(&format!("{table}{gap}{notes}"))
}

fn table(rows: &[Row], own: &[(Arc<str>, String)]) -> Table {
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("CLASS", Align::Left),
        ("CONTEXT", Align::Right),
        ("USD/M IN", Align::Right),
        ("CACHED IN", Align::Right),
        ("USD/M OUT", Align::Right),
        ("NOTE", Align::Left),
    ]);
    for (name, note) in own {
        let blank = String::new;
        table.row([name.to_string(), blank(), blank(), blank(), blank(), blank(), note.clone()]);
    }
    for row in rows {
        let [input, cached, output] = prices(row.price.as_ref());
        table.row([
            row.name.clone(),
            row.class().map(|class| class.as_str().to_owned()).unwrap_or_default(),
            row.context_length.map(|length| length.to_string()).unwrap_or_default(),
            input,
            cached,
            output,
            row.note(),
        ]);
    }
    table
}

/// Routes and aliases, with what they are.
fn own_names(resolver: &Resolver) -> impl Iterator<Item = (Arc<str>, String)> {
    let routes = resolver.routes().map(|name| (Arc::clone(name), "route".to_owned()));
    let aliases = resolver.aliases().map(|name| {
        let target = match resolver.resolve(name) {
            Ok(Resolved::Known(known)) => format!("alias of {}", known.canonical_name()),
            _ => "alias".to_owned(),
        };
        (Arc::clone(name), target)
    });
    routes.chain(aliases)
}

/// Input, cached input, output.
fn prices(list: Option<&PriceList>) -> [String; 3] {
    match list {
        None => [UNKNOWN.into(), String::new(), UNKNOWN.into()],
        Some(list) if list.is_free() => ["free".into(), String::new(), "free".into()],
        // Paid by the piece, which the note tells.
        Some(list) if *list.base() == Prices::default() => Default::default(),
        Some(list) => {
            let base = list.base();
            let cached = base.cached_input.map(write_usd_per_million).unwrap_or_default();
            [write_usd_per_million(base.input), cached, write_usd_per_million(base.output)]
        }
    }
}

/// Prices of what is no token, in USD, each with the name of the piece.
fn pieces(units: Units) -> impl Iterator<Item = (String, &'static str)> {
    let all = [
        (units.request, "request"),
        (units.input_picture, "picture in"),
        (units.picture, "picture"),
        (units.input_second, "second in"),
        (units.output_second, "second"),
        (units.input_character, "character in"),
        (units.output_character, "character"),
    ];
    all.into_iter().filter_map(|(price, piece)| Some((write_usd(price?), piece)))
}

/// Names that no list holds.
fn notes(snapshot: &Snapshot, provider: Option<&str>) -> String {
    let shown = snapshot.providers.iter().filter(|shown| provider.is_none_or(|name| *shown.name == *name));
    let mut text = String::new();
    for shown in shown.filter(|shown| shown.open_ended) {
        let what =
            if shown.simulated() { "made-up answers, free" } else { "any further model of this provider" };
        text.push_str(&format!("{}/...  {what}\n", shown.name));
    }
    if snapshot.simulated_only() {
        text.push_str("There is no real provider: the simulated one answers to every name.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use pointsman_core::Price;
    use pointsman_providers::Tier;

    use super::*;

    fn row(provider: &str, model: &str) -> Row {
        Row::listed(provider, catalogue().find(provider, model).unwrap())
    }

    #[test]
    fn unknown_is_not_free() {
        assert_eq!(prices(None)[0], "unknown");
        assert_eq!(prices(Some(&PriceList::FREE))[0], "free");
        let base = Prices::new(Price(150_000_000), Price(600_000_000));
        assert_eq!(prices(Some(&PriceList::flat(base))), ["0.15", "", "0.6"]);
        let by_the_piece = PriceList::default()
            .with_units(Units { picture: Some(Price(40_000_000_000_000)), ..Units::default() });
        assert_eq!(prices(Some(&by_the_piece)), ["", "", ""]);
    }

    #[test]
    fn notes_tell_what_the_columns_do_not() {
        let tier = Tier { above_input: 200_000, prices: Prices::default() };
        let price = PriceList::tiered(Prices::default(), vec![tier])
            .with_units(Units { picture: Some(Price(40_000_000_000_000)), ..Units::default() })
            .with_service(Service::Batch, pointsman_providers::Scale::default());
        let sonnet = row("anthropic", "claude-sonnet-4-5");
        let off = sonnet.entry.as_ref().and_then(|entry| entry.deprecated).unwrap();
        assert_eq!(
            Row { price: Some(price), ..sonnet }.note(),
            format!(
                "other prices above 200000 tokens in; 0.04 USD for each picture; other prices for batch; \
                 deprecated: off as of {off}"
            )
        );
        assert_eq!(Row { price: None, entry: None, ..row("openai", "gpt-4o-mini") }.note(), "");
    }

    #[test]
    fn the_catalogue_is_listed_by_vendor_and_class() {
        let all = listed(None, None).unwrap_or_default();
        assert!(all.len() >= 2_500, "{}", all.len());
        assert!(
            all.iter().any(|row| row.name.starts_with("together/")),
            "the vendor's name, not the source's"
        );
        let flash = listed(Some("openai"), Some(Class::Flash)).unwrap_or_default();
        assert!(!flash.is_empty() && flash.iter().all(|row| row.provider == "openai"));
        assert!(flash.iter().all(|row| row.class() == Some(Class::Flash)));
        assert!(listed(Some("wrok"), None).is_err());
    }
}
