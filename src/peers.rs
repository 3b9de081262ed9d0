//! The peers file: which DICOM Application Entities are known, as which centre, for what, and where they are.

use std::net::IpAddr;
use std::path::Path;

use ingest::dimse::{Peer, Roles};
use serde::Deserialize;

use crate::wiring::Result;

/// The file: `[[peer]]` by `[[peer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeersFile {
    #[serde(default)]
    peer: Vec<PeerEntry>,
}

/// One Application Entity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerEntry {
    ae_title: String,
    #[serde(default)]
    centre: String,
    #[serde(default)]
    roles: Vec<Role>,
    address: Option<String>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    transfer_syntaxes: Vec<String>,
    #[serde(default)]
    calling_from: Vec<IpAddr>,
    certificate_sha256: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Store,
    Query,
    Retrieve,
    Commit,
}

/// Reads the file.
///
/// # Errors
/// A sentence that names the file, the peer and what is wrong.
pub fn read(file: &Path) -> Result<Vec<Peer>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(parse(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn parse(text: &str) -> std::result::Result<Vec<Peer>, String> {
    let file: PeersFile = toml::from_str(text).map_err(|error| error.to_string())?;
    let peers = file.peer.into_iter().map(peer).collect::<std::result::Result<Vec<Peer>, String>>()?;
    let mut titles: Vec<&str> = peers.iter().map(|peer| peer.ae_title.as_str()).collect();
    titles.sort_unstable();
    match titles.windows(2).find(|two| two[0] == two[1]) {
        Some(twice) => Err(format!("peer {} is there twice; keep one", twice[0])),
        None => Ok(peers),
    }
}

fn peer(entry: PeerEntry) -> std::result::Result<Peer, String> {
    let title = entry.ae_title.trim().to_owned();
    let wrong = |what: &str| Err(format!("peer {title}: {what}"));
    let plain = title.chars().all(|c| matches!(c, ' '..='~') && c != '\\');
    if title.is_empty() || title.len() > 16 || !plain {
        return wrong("an AE title has 1 to 16 printable ASCII characters and no backslash");
    }
    if entry.centre.is_empty() && !entry.roles.is_empty() {
        return wrong("it has roles, so it needs a centre");
    }
    let address = match entry.address.as_deref().map(host_and_port) {
        Some(None) => return wrong("write its address as HOST:PORT"),
        Some(some) => some,
        None => None,
    };
    let certificate_sha256 = match entry.certificate_sha256.as_deref().map(archive::unhex) {
        Some(None) => return wrong("certificate_sha256 is not 64 hexadecimal digits"),
        Some(some) => some,
        None => None,
    };
    let has = |role| entry.roles.contains(&role);
    let roles = Roles {
        store: has(Role::Store),
        query: has(Role::Query),
        retrieve: has(Role::Retrieve),
        commit: has(Role::Commit),
    };
    Ok(Peer {
        roles,
        address,
        certificate_sha256,
        ae_title: title,
        centre: entry.centre,
        tls: entry.tls,
        transfer_syntaxes: entry.transfer_syntaxes,
        calling_from: entry.calling_from,
    })
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of the file comes out as the peer it says; what is wrong is named with its peer.
    #[test]
    fn a_peers_file_is_read() {
        let text = r#"
            [[peer]]
            ae_title = "CT1"
            centre = "north"
            roles = ["store", "commit"]
            address = "[::1]:104"

            [[peer]]
            ae_title = "WS 1"
            centre = "south"
            roles = ["query", "retrieve"]
            address = "ws.example:11112"
            tls = true
            transfer_syntaxes = ["1.2.840.10008.1.2.4.90"]
            calling_from = ["10.0.0.5"]
            certificate_sha256 = "0707070707070707070707070707070707070707070707070707070707070707"
        "#;
        let peers = parse(text).unwrap();
        assert_eq!(peers[0].roles, Roles { store: true, commit: true, ..Roles::default() });
        assert_eq!(peers[0].address, Some(("::1".into(), 104)));
        let expected = Peer {
            ae_title: "WS 1".into(),
            centre: "south".into(),
            roles: Roles { query: true, retrieve: true, ..Roles::default() },
            address: Some(("ws.example".into(), 11112)),
            tls: true,
            transfer_syntaxes: vec!["1.2.840.10008.1.2.4.90".into()],
            calling_from: vec!["10.0.0.5".parse().unwrap()],
            certificate_sha256: Some([7; 32]),
        };
        assert_eq!(peers[1], expected);
        let check = |text: &str, why: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        check("[[peer]]\nae_title = \"\"", "AE title");
        check("[[peer]]\nae_title = \"A\"\nroles = [\"store\"]", "centre");
        check("[[peer]]\nae_title = \"A\"\naddress = \"host\"", "HOST:PORT");
        check("[[peer]]\nae_title = \"A\"\ncertificate_sha256 = \"7\"", "hexadecimal");
        check("[[peer]]\nae_title = \"A\"\n[[peer]]\nae_title = \"A\"", "twice");
        check("[[peer]]\nae_title = \"A\"\nroles = [\"print\"]", "print");
        check("[[peer]]\nae_title = \"A\"\ncolour = 1", "colour");
    }
}
