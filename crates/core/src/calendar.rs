//! Days and dates of the Gregorian calendar, in UTC: Howard Hinnant, "chrono-compatible low-level date
//! algorithms". Years begin in March here, so that the leap day is the last of one.

/// Days in an era of 400 years.
const ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Year, month (1 to 12) and day (1 to 31), `days` after 1970-01-01.
///
/// ```
/// assert_eq!(pointsman_core::calendar::date(20_779), (2026, 11, 22));
/// ```
#[must_use]
pub const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

/// The reverse of [`date`].
#[must_use]
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (second, expected) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (951_782_399, (2000, 2, 28)),
            (951_782_400, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (1_795_305_600, (2026, 11, 22)),
            (4_107_542_400, (2100, 3, 1)),
        ] {
            assert_eq!(date(i64::div_euclid(second, 86_400)), expected);
        }
    }

    #[test]
    fn each_day_follows_the_one_before_and_leads_back() {
        let mut before = date(-800_000);
        for day in -799_999..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
            let next_day = (year, month) == (before.0, before.1) && of_month == before.2 + 1;
            let next_month = of_month == 1 && (28..=31).contains(&before.2);
            assert!(next_day || next_month, "{before:?}, {year}-{month}-{of_month}");
            before = (year, month, of_month);
        }
    }
}
