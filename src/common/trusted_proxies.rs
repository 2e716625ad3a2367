//! Whose word counts about the address of a client.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

/// The networks of the reverse proxies in front of Parlor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// This machine.
impl Default for TrustedProxies {
    fn default() -> TrustedProxies {
        TrustedProxies(vec![
            IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ])
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&networks.join(","))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Addresses and networks in CIDR notation, separated by commas. An empty text trusts nobody.
    fn from_str(text: &str) -> Result<TrustedProxies, String> {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let network = |item: &str| {
            let address = item.parse::<IpAddr>().map(IpNet::from);
            address
                .or_else(|_| item.parse::<IpNet>())
                .map_err(|_| format!("`{item}` is not an address or a network such as 10.1.0.0/16"))
        };
        items
            .map(network)
            .collect::<Result<_, _>>()
            .map(TrustedProxies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_and_written() {
        let proxies: TrustedProxies = " 192.0.2.7, 10.1.0.0/16,2001:db8::/32".parse().unwrap();
        assert_eq!(
            proxies.to_string(),
            "192.0.2.7/32,10.1.0.0/16,2001:db8::/32"
        );
        for (address, is_in) in [
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("10.1.255.1", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                proxies.contains(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
        let default = TrustedProxies::default();
        assert_eq!(default.to_string().parse(), Ok(default));
        assert!(
            !"".parse::<TrustedProxies>()
                .unwrap()
                .contains(Ipv4Addr::LOCALHOST.into())
        );
        assert!("10.1.0.0/33".parse::<TrustedProxies>().is_err());
        assert!("proxy.example".parse::<TrustedProxies>().is_err());
    }
}
