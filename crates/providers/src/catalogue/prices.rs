//! The prices of a line: `i.15 o.6 c.075 >200000 i.3 o1.2 @batch i.075 o.3`.

use pointsman_core::{Price, Service};

use crate::price::{PriceList, Prices, Scale, Tier, Units, usd_per_million};

/// Reads words of a letter and USD per million units. What follows a `>` counts above so many input
/// tokens, what follows an `@` for another service; both inherit what they do not name.
pub(super) fn parse(text: &str) -> Option<PriceList> {
    if text.is_empty() {
        return None;
    }
    let mut units = Units::default();
    let mut standard = Scale::default();
    let mut others: Vec<(Service, Scale)> = Vec::new();
    for word in text.split(' ') {
        let (letter, value) = word.split_at_checked(1)?;
        let scale = others.last_mut().map_or(&mut standard, |(_, scale)| scale);
        match letter {
            "@" => {
                let service = Service::ALL.into_iter().find(|service| service.as_str() == value)?;
                others.push((service, Scale { base: standard.base, tiers: Vec::new() }));
            }
            ">" => scale.tiers.push(Tier { above_input: value.parse().ok()?, prices: scale.base }),
            _ => {
                let price = usd_per_million(value).ok()?;
                let prices = scale.tiers.last_mut().map_or(&mut scale.base, |tier| &mut tier.prices);
                set(prices, &mut units, letter, price);
            }
        }
    }
    let list = PriceList::tiered(standard.base, standard.tiers).with_units(units);
    Some(others.into_iter().fold(list, |list, (service, scale)| list.with_service(service, scale)))
}

fn set(prices: &mut Prices, units: &mut Units, letter: &str, price: Price) {
    let slot = match letter {
        "i" => return prices.input = price,
        "o" => return prices.output = price,
        "c" => &mut prices.cached_input,
        "w" => &mut prices.cache_write,
        "h" => &mut prices.cache_write_1h,
        "r" => &mut prices.reasoning,
        "a" => &mut prices.input_audio,
        "b" => &mut prices.output_audio,
        "e" => &mut prices.cached_audio,
        "m" => &mut prices.input_image,
        "n" => &mut prices.output_image,
        "q" => &mut units.request,
        "g" => &mut units.input_picture,
        "p" => &mut units.picture,
        "s" => &mut units.input_second,
        "z" => &mut units.output_second,
        "x" => &mut units.input_character,
        "y" => &mut units.output_character,
        // A kind that a later list adds and this build does not bill.
        _ => return,
    };
    *slot = Some(price);
}

#[cfg(test)]
mod tests;
