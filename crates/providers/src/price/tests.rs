//! Hand-computed costs, and the rounding rule against an exact rational.

use pointsman_core::{Money, UsageDetail};
use proptest::prelude::*;

use super::*;

fn price(usd: &str) -> Price {
    usd_per_million(usd).unwrap()
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

#[test]
fn reads_decimals_exactly() {
    assert_eq!(price(".15"), Price(150_000_000));
    assert_eq!(price("0.15"), Price(150_000_000));
    assert_eq!(price("3"), Price(3_000_000_000));
    assert_eq!(price("3."), Price(3_000_000_000));
    assert_eq!(price("0.0375"), Price(37_500_000));
    assert_eq!(price("0.000000001"), Price(1));
    assert_eq!(price("0.1000000000000"), Price(100_000_000), "zeros at the end carry nothing");
    assert_eq!(price("18446744073.709551615"), Price(u64::MAX));
}

#[test]
fn refuses_what_is_not_exactly_a_price() {
    for (text, error) in [
        ("", PriceError::NotDecimal),
        (".", PriceError::NotDecimal),
        ("-1", PriceError::NotDecimal),
        ("+1", PriceError::NotDecimal),
        ("1e-6", PriceError::NotDecimal),
        ("1.2.3", PriceError::NotDecimal),
        ("0.0000000001", PriceError::TooFine),
        ("18446744073.709551616", PriceError::TooLarge),
        ("99999999999999999999999", PriceError::TooLarge),
    ] {
        assert_eq!(usd_per_million(text), Err(error), "{text:?}");
    }
}

#[test]
fn bills_input_and_output() {
    // 1,000 × $0.15/M + 500 × $0.60/M = $0.00015 + $0.0003 = 150,000 + 300,000 nano-dollars.
    let list = PriceList::flat(Prices::new(price("0.15"), price("0.6")));
    let cost = list.cost(&usage(1_000, 500));
    assert_eq!((cost.input, cost.output), (Money(150_000), Money(300_000)));
    assert_eq!(cost.total(), Money(450_000));
}

#[test]
fn cached_and_written_input_is_not_billed_twice() {
    // $3/M input, $0.30/M cached, $3.75/M written, $15/M output; 1,000 = 500 plain + 300 + 200.
    // 500 × 3,000 + 300 × 300 + 200 × 3,750 + 10 × 15,000 nano-dollars.
    let list = PriceList::flat(Prices {
        cached_input: Some(price("0.3")),
        cache_write: Some(price("3.75")),
        ..Prices::new(price("3"), price("15"))
    });
    let cost = list.cost(&Usage { cached_input: 300, cache_write: 200, ..usage(1_000, 10) });
    assert_eq!(cost.input, Money(1_500_000));
    assert_eq!(cost.cached_input, Money(90_000));
    assert_eq!(cost.cache_write, Money(750_000));
    assert_eq!(cost.output, Money(150_000));
    assert_eq!(cost.total(), Money(2_490_000));
}

#[test]
fn kinds_without_a_price_cost_what_the_broader_kind_costs() {
    let list = PriceList::flat(Prices::new(price("2"), price("8")));
    let all = Usage {
        cached_input: 10,
        cache_write: 20,
        reasoning: 30,
        input_audio: 40,
        output_audio: 5,
        ..usage(100, 50)
    };
    // 100 × 2,000 + 50 × 8,000: the same as if no kind had been named.
    assert_eq!(list.cost(&all).total(), list.cost(&usage(100, 50)).total());
    assert_eq!(list.cost(&all).total(), Money(600_000));
    assert_eq!(list.cost(&all).reasoning, Money(240_000));
}

#[test]
fn reasoning_and_audio_have_their_own_prices() {
    // $1/M in, $2/M out, $4/M reasoning, $10/M audio in, $20/M audio out:
    // 60 × 1,000 + 40 × 10,000 = 460,000 in; 10 × 2,000 + 50 × 4,000 + 40 × 20,000 = 1,020,000 out.
    let list = PriceList::flat(Prices {
        reasoning: Some(price("4")),
        input_audio: Some(price("10")),
        output_audio: Some(price("20")),
        ..Prices::new(price("1"), price("2"))
    });
    let cost = list.cost(&Usage { reasoning: 50, input_audio: 40, output_audio: 40, ..usage(100, 100) });
    assert_eq!((cost.input, cost.output), (Money(60_000), Money(20_000)));
    assert_eq!((cost.reasoning, cost.other), (Money(200_000), Money(1_200_000)));
}

#[test]
fn a_long_request_is_billed_whole_at_its_tier() {
    let long = Tier { above_input: 200_000, prices: Prices::new(price("2.5"), price("15")) };
    let longer = Tier { above_input: 400_000, prices: Prices::new(price("5"), price("30")) };
    let list = PriceList::tiered(Prices::new(price("1.25"), price("10")), vec![longer, long]);
    assert_eq!(list.cost(&usage(200_000, 1)).total(), Money(250_010_000));
    assert_eq!(list.cost(&usage(200_001, 1)).total(), Money(500_017_500));
    assert_eq!(list.cost(&usage(400_001, 1)).total(), Money(2_000_035_000));
}

#[test]
fn contradictory_usage_never_bills_more_tokens_than_there_are() {
    let list = PriceList::flat(Prices {
        cached_input: Some(price("1")),
        cache_write: Some(price("1")),
        ..Prices::new(price("1"), price("1"))
    });
    let absurd = Usage { cached_input: 80, cache_write: 80, reasoning: 900, ..usage(100, 10) };
    // 110 tokens at $1/M.
    assert_eq!(list.cost(&absurd).total(), Money(110_000));
}

#[test]
fn free_is_zero_and_says_so() {
    assert_eq!(PriceList::FREE.cost(&usage(1_000_000, 1_000_000)).total(), Money(0));
    assert!(PriceList::FREE.is_free());
    assert!(!PriceList::flat(Prices::new(Price(1), Price(0))).is_free());
}

#[test]
fn pieces_are_no_tokens() {
    let by_the_second = Units { input_second: Some(Price(100_000_000_000)), ..Units::default() };
    assert!(!PriceList::default().with_units(by_the_second).prices_tokens());
    assert!(PriceList::flat(Prices::new(Price(1), Price(0))).with_units(by_the_second).prices_tokens());
    assert!(PriceList::FREE.prices_tokens(), "free is a price");
}

/// Usage without tokens.
fn pieces(change: impl FnOnce(&mut UsageDetail)) -> Usage {
    let mut usage = Usage::default();
    change(&mut usage.detail);
    usage
}

#[test]
fn pieces_are_charged_where_they_are_told() {
    let by = |units: Units| PriceList::default().with_units(units);
    let price = |usd: &str| Some(price(usd));
    let nanos = |list: &PriceList, usage: &Usage| list.tells(usage).then(|| list.cost(usage).total().nanos());
    // Whisper: $0.006 a minute, which some lists write twice.
    let heard = by(Units { input_second: price("100"), output_second: price("100"), ..Units::default() });
    assert_eq!(nanos(&heard, &pieces(|detail| detail.heard_ms = 90_000)), Some(9_000_000));
    assert_eq!(nanos(&heard, &pieces(|detail| detail.heard_ms = 8_470)), Some(847_000));
    let only_out = by(Units { output_second: price("27.7778"), ..Units::default() });
    // 1.5 × 27,777.8 nano-dollars is 41,666.7.
    assert_eq!(nanos(&only_out, &pieces(|detail| detail.heard_ms = 1_500)), Some(41_667));
    // $15 a million characters.
    let spoken = by(Units { input_character: price("15"), ..Units::default() });
    assert_eq!(nanos(&spoken, &pieces(|detail| detail.characters = 1_000)), Some(15_000_000));
    // $0.04 a picture, by either name.
    for units in [
        Units { picture: price("40000"), ..Units::default() },
        Units { input_picture: price("40000"), ..Units::default() },
    ] {
        assert_eq!(nanos(&by(units), &pieces(|detail| detail.pictures = 3)), Some(120_000_000));
    }
    // Another piece than the list charges for, or none: that is not 0.
    for usage in [
        Usage::default(),
        pieces(|detail| detail.pictures = 1),
        usage(100, 20),
        pieces(|detail| detail.characters = 5),
    ] {
        assert_eq!(nanos(&heard, &usage), None, "{usage:?}");
    }
    let fee = by(Units { request: price("2000"), ..Units::default() });
    assert_eq!(nanos(&fee, &usage(7, 0)), Some(2_000_000));
    assert_eq!(nanos(&fee, &Usage::default()), Some(2_000_000));
}

#[test]
fn tokens_and_pieces_are_two_ways_to_say_one_price() {
    // Gemini's picture: $30 a million tokens, 1,290 of them, or $0.039.
    let prices = Prices { output_image: Some(price("30")), ..Prices::new(price("0.3"), price("2.5")) };
    let units = Units { picture: Some(price("38700")), ..Units::default() };
    let list = PriceList::flat(prices).with_units(units);
    let told = Usage {
        detail: UsageDetail { output_image: 1_290, pictures: 1, ..UsageDetail::default() },
        ..usage(0, 1_290)
    };
    let counted = pieces(|detail| detail.pictures = 1);
    assert_eq!(
        (list.cost(&told).total(), list.cost(&counted).total()),
        (Money(38_700_000), Money(38_700_000))
    );
    assert!(list.tells(&told) && list.tells(&counted) && !list.tells(&Usage::default()));
    assert!(PriceList::FREE.tells(&Usage::default()) && PriceList::FREE.tells(&counted));
}

#[test]
fn sounds_from_the_cache_are_charged_once() {
    // 100 tokens, 60 of them sound, of which 50 come from the cache: 40 × 1,000 + 10 × 10,000 + 50 × 100.
    let list = PriceList::flat(Prices {
        cached_input: Some(price("0.5")),
        input_audio: Some(price("10")),
        cached_audio: Some(price("0.1")),
        ..Prices::new(price("1"), price("2"))
    });
    let detail = UsageDetail { cached_audio: 50, ..UsageDetail::default() };
    let used = Usage { cached_input: 50, input_audio: 60, detail, ..usage(100, 0) };
    assert_eq!(list.cost(&used).total(), Money(40_000 + 100_000 + 5_000));
}

fn any_price() -> impl Strategy<Value = Option<Price>> {
    proptest::option::of((0_u64..200_000_000_000).prop_map(Price))
}

proptest! {
    #[test]
    fn the_total_is_the_exact_charge_rounded_half_to_even(
        input_price in 0_u64..100_000_000_000,
        output_price in 0_u64..100_000_000_000,
        kinds in (any_price(), any_price(), any_price()),
        plain in 0_u64..3_000_000,
        cached in 0_u64..1_000_000,
        written in 0_u64..1_000_000,
        said in 0_u64..1_000_000,
        thought in 0_u64..1_000_000,
    ) {
        let prices = Prices {
            cached_input: kinds.0,
            cache_write: kinds.1,
            reasoning: kinds.2,
            ..Prices::new(Price(input_price), Price(output_price))
        };
        let usage = Usage {
            cached_input: cached,
            cache_write: written,
            reasoning: thought,
            ..usage(plain + cached + written, said + thought)
        };
        let or = |price: Option<Price>, other: u64| u128::from(price.map_or(other, |p| p.0));
        let exact = u128::from(input_price) * u128::from(plain)
            + or(kinds.0, input_price) * u128::from(cached)
            + or(kinds.1, input_price) * u128::from(written)
            + u128::from(output_price) * u128::from(said)
            + or(kinds.2, output_price) * u128::from(thought);
        let total = PriceList::flat(prices).cost(&usage).total().nanos() as u128;
        // total = exact / 10⁶ rounded: at most half a unit away, and even where exactly half.
        let distance = (total * 1_000_000).abs_diff(exact);
        prop_assert!(distance <= 500_000);
        prop_assert!(distance < 500_000 || total.is_multiple_of(2));
    }

    #[test]
    fn text_and_price_are_the_same_number(femto in any::<u64>()) {
        let text = format!("{}.{:09}", femto / 1_000_000_000, femto % 1_000_000_000);
        prop_assert_eq!(usd_per_million(&text), Ok(Price(femto)));
    }
}
