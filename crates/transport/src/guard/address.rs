//! Which addresses may be called, by the registries of IANA (special-purpose addresses, RFC 6890) and the
//! metadata services of the clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who named the server, and so how far a request may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// The operator: everything but link-local addresses and metadata services, which hand out the
    /// machine's own credentials and are never an upstream.
    #[default]
    Configured,
    /// A user: public addresses only.
    Public,
}

/// An address that is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not called: {why}")]
pub struct Refused {
    /// The address, as resolved.
    pub address: IpAddr,
    /// What it is.
    pub why: &'static str,
}

impl Reach {
    /// Whether `address` may be called.
    ///
    /// # Errors
    /// Where it may not.
    pub fn check(self, address: IpAddr) -> Result<(), Refused> {
        let why = match (forbidden(address), self) {
            (Some(why), _) => Some(why),
            (None, Self::Public) => not_public(address),
            (None, Self::Configured) => None,
        };
        why.map_or(Ok(()), |why| Err(Refused { address, why }))
    }
}

const METADATA: &str = "it is a cloud's metadata service";
const LINK_LOCAL: &str = "it is link-local, where metadata services are";

/// Refused whoever asks.
fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => {
            if let Some(v4) = embedded(v6) {
                return forbidden_v4(v4);
            }
            match v6.segments() {
                [first, ..] if first & 0xffc0 == 0xfe80 => Some(LINK_LOCAL),
                // Amazon (all local services), Google, Scaleway.
                [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] | [0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042] => {
                    Some(METADATA)
                }
                _ => None,
            }
        }
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [169, 254, ..] => Some(LINK_LOCAL),
        // Alibaba, Azure, Oracle.
        [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => Some(METADATA),
        _ => None,
    }
}

fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => not_public_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => not_public_v4(v4),
            None => not_public_v6(v6),
        },
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [127, ..] => Some("it is this machine"),
        [0, ..] => Some("it means this machine"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("it is private"),
        [100, 64..=127, ..] => Some("it is shared by a carrier's customers"),
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18 | 19, ..] | [192, 88, 99, _] => {
            Some("it is reserved")
        }
        [224..=255, ..] => Some("it is multicast or reserved"),
        _ => None,
    }
}

/// Only 2000::/3 is given out as global unicast.
fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("it is this machine"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("it means this machine"),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some("it is private"),
        // Protocol assignments (2001::/23) and documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Some("it is reserved"),
        [first, ..] if first & 0xe000 == 0x2000 => None,
        _ => Some("it is not a public address"),
    }
}

/// The IPv4 address that packets to an IPv6 address end up at.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (RFC 4291, 2.5.5.1), mapped (2.5.5.2), translated (RFC 2765), NAT64 (RFC 6052, 2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // 6to4 (RFC 3056, 2).
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo (RFC 4380, 4): the client's address, inverted.
        [0x2001, 0, .., high, low] => v4(!high, !low),
        // ISATAP (RFC 5214, 6.1).
        [.., 0 | 0x0200, 0x5efe, high, low] => v4(high, low),
        _ => None,
    }
}
