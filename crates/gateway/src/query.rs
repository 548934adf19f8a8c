//! The parameters of a query, unescaped.

use std::borrow::Cow;

use crate::percent;

/// All parameters in order; those that are no text are left out.
pub(crate) fn parameters(query: Option<&str>) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((percent::decode(name)?, percent::decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_are_read_in_order() {
        let read = parameters(Some("limit=2&a%5B%5D=x%2Fy&flag&&bad=%zz&limit=3"));
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(read, [("limit", "2"), ("a[]", "x/y"), ("flag", ""), ("limit", "3")]);
        assert!(parameters(None).is_empty() && parameters(Some("")).is_empty());
    }
}
