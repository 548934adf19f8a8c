//! A directory, a listener and its clients, in memory.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use pointsman_core::Clock;
use pointsman_testkit::acme::Directory;
use pointsman_testkit::net::MemoryNet;
use pointsman_transport::acme::{Acme, AcmeOptions};
use pointsman_transport::egress::Egress;
use pointsman_transport::guard::{Dialing, Network, Resolving};
use pointsman_transport::tls::{Trust, pem::Certificate};
use pointsman_transport::{BoxedIo, Drain, Edge, Http2, ServeOptions, serve_edge};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub(crate) struct World {
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Clock,
    /// The metric.
    pub(crate) expiry: Arc<AtomicI64>,
    net: MemoryNet,
    astray: Arc<AtomicBool>,
    folder: TempDir,
    /// The directory's connections.
    _serving: JoinSet<()>,
    /// The listener before anything runs.
    early: Mutex<JoinSet<()>>,
}

/// A server with its certificate's keeper.
pub(crate) struct Running {
    drain: Drain,
    tasks: JoinSet<()>,
}

impl Running {
    /// Drains, and waits for everything.
    pub(crate) async fn stop(self) {
        self.drain.start();
        self.tasks.join_all().await;
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, net, astray) = (Clock::system(), MemoryNet::new(), Arc::new(AtomicBool::new(false)));
        let dial = {
            let (net, astray) = (net.clone(), astray.clone());
            move |domain: String| {
                let name = if astray.load(Ordering::Relaxed) {
                    "acme.test:443".to_owned()
                } else {
                    format!("{domain}:443")
                };
                let net = net.clone();
                let dialled = async move { Ok(Box::new(net.connect(&name).await?) as BoxedIo) };
                Box::pin(dialled) as std::pin::Pin<Box<dyn Future<Output = io::Result<BoxedIo>> + Send>>
            }
        };
        let directory = Directory::new("https://acme.test", clock, Arc::new(dial)).unwrap();
        let mut listener = net.listen("acme.test:443");
        let mut serving = JoinSet::new();
        let served = directory.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok(io) = listener.accept().await {
                connections.spawn(served.clone().serve(Box::new(io)));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        Self {
            directory,
            clock,
            expiry: Arc::default(),
            net,
            astray,
            folder,
            _serving: serving,
            early: Mutex::default(),
        }
    }

    pub(crate) fn options(&self, domains: &[&str]) -> AcmeOptions {
        let authority = self.directory.https_authority();
        let roots = CertificateDer::pem_slice_iter(authority.as_bytes()).map(Result::unwrap).collect();
        AcmeOptions {
            domains: domains.iter().map(ToString::to_string).collect(),
            email: Some("ops@a.test".into()),
            directory: self.directory.url(),
            egress: Egress { trust: Trust::Only(roots), ..Egress::default() },
            cache: self.folder.path().join("acme"),
            client_roots: Vec::new(),
            http2: true,
        }
    }

    /// Some authority.
    pub(crate) fn client_roots(&self) -> Vec<Certificate> {
        let pem = self.directory.issuing_authority();
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
    }

    pub(crate) fn acme(&self, domains: &[&str]) -> Arc<Acme> {
        self.acme_with(self.options(domains))
    }

    /// With its listener open for both domains, before anything is obtained.
    pub(crate) fn acme_with(&self, options: AcmeOptions) -> Arc<Acme> {
        let network = Arc::new(Memory(self.net.clone()));
        let acme = Acme::new(options, network, self.clock, 1, self.expiry.clone()).unwrap();
        let mut early = self.early.lock().unwrap();
        early.abort_all();
        self.listen(&acme, &Drain::default(), &mut early);
        acme
    }

    /// The listener once more, with the keeper.
    pub(crate) fn run(&self, acme: &Arc<Acme>) -> Running {
        self.early.lock().unwrap().abort_all();
        let (drain, mut tasks) = (Drain::default(), JoinSet::new());
        self.listen(acme, &drain, &mut tasks);
        tasks.spawn(acme.clone().run(drain.clone()));
        Running { drain, tasks }
    }

    fn listen(&self, acme: &Arc<Acme>, drain: &Drain, tasks: &mut JoinSet<()>) {
        for domain in ["a.test", "b.test"] {
            let listener = self.net.listen(&format!("{domain}:443"));
            let options = ServeOptions {
                connections: Arc::new(Semaphore::new(8)),
                header_timeout: Duration::from_secs(5),
                max_head_bytes: 16 * 1024,
                max_headers: 50,
            };
            let hello = |_| {
                service_fn(|_: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
                })
            };
            let edge = Edge { tls: Some(acme.tls().clone()), http2: Http2::Tls };
            tasks.spawn(serve_edge(listener, hello, options, edge, drain.clone()));
        }
    }

    pub(crate) fn lead_astray(&self, astray: bool) {
        self.astray.store(astray, Ordering::Relaxed);
    }

    /// Connecting to the directory hangs.
    pub(crate) fn black_hole(&self) {
        self.net.black_hole("acme.test:443");
    }

    /// Waits until there is a certificate.
    pub(crate) async fn settled(&self, acme: &Acme) {
        acme.state().wait_for(|state| state.not_after.is_some()).await.unwrap();
    }

    /// Waits until an attempt has failed.
    pub(crate) async fn problem(&self, acme: &Acme) -> String {
        acme.state().wait_for(|state| state.problem.is_some()).await.unwrap().problem.clone().unwrap()
    }

    /// The first certificate that a client is shown who trusts the authority, at the test's own time.
    pub(crate) async fn connect(&self, domain: &str, alpn: &[&[u8]]) -> Result<Vec<u8>, String> {
        let mut roots = RootCertStore::empty();
        let authority = self.directory.issuing_authority();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(Now(self.clock)))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let io = self.net.connect(&format!("{domain}:443")).await.unwrap();
        let name = ServerName::try_from(domain.to_owned()).unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, io).await;
        let mut stream = connected.map_err(|error| error.to_string())?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        // With TLS 1.3, being refused shows when something is read; the server says nothing by itself.
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => {}
            _ => match tokio::time::timeout(Duration::from_secs(1), stream.read_u8()).await {
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return Err(error.to_string()),
                _ => {}
            },
        }
        Ok(shown)
    }
}

/// The names in a certificate, sorted.
pub(crate) fn issued_to(certificate: &[u8]) -> Vec<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let mut names: Vec<_> = names
        .value
        .general_names
        .iter()
        .map(|name| match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    names.sort();
    names
}

struct Memory(MemoryNet);

impl Network for Memory {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        assert_eq!(host, "acme.test");
        Box::pin(async move { Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]) })
    }

    fn dial(&self, address: SocketAddr) -> Dialing<'_> {
        Box::pin(async move {
            let io = self.0.connect(&format!("acme.test:{}", address.port())).await?;
            Ok(Box::new(io) as BoxedIo)
        })
    }
}

#[derive(Debug)]
struct Now(Clock);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = self.0.unix_us(self.0.now());
        Some(UnixTime::since_unix_epoch(Duration::from_micros(micros.unsigned_abs())))
    }
}
