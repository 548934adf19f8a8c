//! Days of the calendar, to compare with the catalogue's dates.

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The date of a time in seconds after the Unix epoch, in UTC: `2026-11-22`. Dates of this form are in order
/// as texts. After Howard Hinnant, "chrono-compatible low-level date algorithms".
///
/// ```
/// use pointsman_providers::catalogue::date;
/// assert_eq!(date::of_unix(951_782_400), "2000-02-29");
/// ```
#[must_use]
pub fn of_unix(seconds: u64) -> String {
    // Days since 1 March of the year 0: leap days come last in such a year.
    let days = seconds / DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::of_unix;

    #[test]
    fn days_of_the_calendar() {
        for (day, date) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (19_722, "2023-12-31"),
            (20_779, "2026-11-22"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(of_unix(day * 86_400 + 86_399), date);
        }
    }
}
