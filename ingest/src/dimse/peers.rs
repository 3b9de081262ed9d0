//! Who may associate, as which centre, for what, and where each is reached.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What an Application Entity may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// C-STORE.
    pub store: bool,
    /// C-FIND.
    pub query: bool,
    /// C-MOVE and C-GET.
    pub retrieve: bool,
    /// Storage Commitment.
    pub commit: bool,
}

/// An Application Entity that is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its AE title.
    pub ae_title: String,
    /// The centre it is; what it stores is of this centre.
    pub centre: String,
    /// What it may ask for.
    pub roles: Roles,
    /// Host and port it listens at, for C-MOVE and commitment reports.
    pub address: Option<(String, u16)>,
    /// It is called over TLS.
    pub tls: bool,
    /// The transfer syntaxes it is offered, in this order; all that can be given if empty.
    pub transfer_syntaxes: Vec<String>,
    /// It may call from these addresses only; from any if empty.
    pub calling_from: Vec<IpAddr>,
    /// SHA-256 of the certificate it has to show (DER); any that the listener accepts if `None`.
    pub certificate_sha256: Option<[u8; 32]>,
}

impl Peer {
    /// One who may store, of this centre.
    pub fn storing(ae_title: &str, centre: &str) -> Peer {
        let roles = Roles { store: true, ..Roles::default() };
        Peer { ae_title: ae_title.into(), centre: centre.into(), roles, ..Peer::default() }
    }
}

/// Everyone who is known.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    by_title: BTreeMap<String, Arc<Peer>>,
    /// What everybody else is, but for the AE title; `None` rejects them.
    any: Option<Arc<Peer>>,
}

impl Peers {
    /// These, and what everybody else is taken for.
    pub fn new(peers: impl IntoIterator<Item = Peer>, any: Option<Peer>) -> Peers {
        let by_title = peers.into_iter().map(|peer| (peer.ae_title.clone(), Arc::new(peer))).collect();
        Peers { by_title, any: any.map(Arc::new) }
    }

    /// Who is calling; `None` to reject the association.
    pub fn calling(&self, ae_title: &str, from: IpAddr, certificate_sha256: Option<[u8; 32]>) -> Option<Arc<Peer>> {
        let Some(peer) = self.by_title.get(ae_title) else {
            let any = self.any.as_deref()?;
            return Some(Arc::new(Peer { ae_title: ae_title.to_owned(), ..any.clone() }));
        };
        let from_there = peer.calling_from.is_empty() || peer.calling_from.contains(&from.to_canonical());
        let is_it = peer.certificate_sha256.is_none() || peer.certificate_sha256 == certificate_sha256;
        (from_there && is_it).then(|| Arc::clone(peer))
    }

    /// The Application Entity of that title, if it is known by name.
    pub fn named(&self, ae_title: &str) -> Option<Arc<Peer>> {
        self.by_title.get(ae_title).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A title that is known is bound to its addresses and its certificate; a stranger is what `any` says.
    #[test]
    fn a_calling_ae_is_bound_to_address_and_certificate() {
        let known = Peer {
            ae_title: "WS1".into(),
            calling_from: vec!["10.0.0.5".parse().unwrap()],
            certificate_sha256: Some([7; 32]),
            ..Peer::default()
        };
        let any = Peer { centre: "other".into(), ..Peer::default() };
        let peers = Peers::new([known.clone()], Some(any));
        let check = |title, from: &str, certificate, centre: Option<&str>| {
            let found = peers.calling(title, from.parse().unwrap(), certificate);
            assert_eq!(found.as_ref().map(|peer| peer.centre.as_str()), centre, "{title} {from}");
        };
        check("WS1", "10.0.0.5", Some([7; 32]), Some(""));
        check("WS1", "::ffff:10.0.0.5", Some([7; 32]), Some(""));
        check("WS1", "10.0.0.6", Some([7; 32]), None);
        check("WS1", "10.0.0.5", Some([8; 32]), None);
        check("WS1", "10.0.0.5", None, None);
        check("X", "10.0.0.6", None, Some("other"));
        assert!(Peers::new([known], None).calling("X", "10.0.0.5".parse().unwrap(), None).is_none());
    }
}
