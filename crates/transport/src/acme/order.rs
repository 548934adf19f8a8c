//! One certificate, from account to chain (RFC 8555, 7): everything that is asked of the directory.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::AcmeOptions;
use super::cache::{Cache, Pair};
use super::challenge::{Proofs, Shown};
use super::client::{Client, Pause};
use super::error::AcmeError;
use crate::connect::TcpConnect;
use crate::tls::server::ServerTls;

/// How often the directory is asked whether it is done: after 0.5 s, 1 s, 2 s and so on.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(2.0)
    .timeout(Duration::from_secs(90));

/// What an order needs.
pub(super) struct Desk<'a> {
    pub(super) options: &'a AcmeOptions,
    pub(super) cache: &'a Cache,
    pub(super) connector: Arc<TcpConnect>,
    pub(super) pause: Pause,
    /// Where proofs are shown.
    pub(super) tls: &'a Arc<ServerTls>,
}

impl Desk<'_> {
    /// Obtains a certificate and keeps it; or says why it could not be kept. Then it is as good as any: ordered
    /// anew it would only count against the authority's limits.
    pub(super) async fn obtain(&self) -> Result<(Pair, Option<AcmeError>), AcmeError> {
        self.cache.prepare()?;
        let account = self.account().await?;
        let identifiers: Vec<_> = self.options.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let shown = self.prove(&mut order).await?;
        if order.state().status == OrderStatus::Pending {
            match order.poll_ready(&POLL).await {
                Ok(OrderStatus::Ready | OrderStatus::Valid) => {}
                Ok(_) => return Err(unproven(&mut order, None).await),
                Err(Error::Api(problem)) => return Err(unproven(&mut order, Some(problem)).await),
                Err(error) => return Err(error.into()),
            }
        }
        drop(shown);

        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(self.options.domains.clone())?;
        params.distinguished_name = DistinguishedName::new();
        order.finalize_csr(params.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&POLL).await?;
        let pem = Zeroizing::new(chain + "\n" + &key.serialize_pem());
        let pair = Pair::parse(&pem, &self.options.domains)
            .ok_or_else(|| AcmeError::Answer("it is no certificate for these domains".into()))?;
        Ok((pair, self.cache.keep_pair(&pem).err().map(AcmeError::from)))
    }

    /// The account of this directory: the one that is kept, or a new one, kept before it is used.
    async fn account(&self) -> Result<Account, AcmeError> {
        let http = Box::new(Client::new(self.connector.clone(), self.pause.clone()));
        let builder = Account::builder_with_http(http);
        if let Some(known) = self.cache.account()? {
            return Ok(builder.from_credentials(known).await?);
        }
        let contact = self.options.email.as_ref().map(|email| format!("mailto:{email}"));
        let new = NewAccount {
            contact: &contact.iter().map(String::as_str).collect::<Vec<_>>(),
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = builder.create(&new, self.options.directory.clone(), None).await?;
        self.cache.keep_account(&credentials)?;
        Ok(account)
    }

    /// Shows proofs for all domains that the authority has not checked lately, then lets it look.
    async fn prove(&self, order: &mut Order) -> Result<Option<Shown>, AcmeError> {
        let mut proofs = Proofs::default();
        let mut pending = false;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let domain = authorization.identifier().to_string();
            let challenge = authorization
                .challenge(ChallengeType::TlsAlpn01)
                .ok_or_else(|| AcmeError::NoChallenge(domain.clone()))?;
            proofs.add(&domain, challenge.key_authorization().digest().as_ref())?;
            pending = true;
        }
        if !pending {
            return Ok(None);
        }
        let shown = proofs.show(self.tls)?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Valid
                && let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01)
            {
                challenge.set_ready().await?;
            }
        }
        Ok(Some(shown))
    }
}

/// What the authority says of the domain that it could not check; else what it says of the order.
async fn unproven(order: &mut Order, said: Option<instant_acme::Problem>) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            break;
        }
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.clone());
        if let Some(problem) = problem {
            return AcmeError::Unproven { domain: authorization.identifier().to_string(), problem };
        }
    }
    match said {
        Some(problem) => AcmeError::Refused(problem),
        None => AcmeError::Answer("the order became invalid without a reason".into()),
    }
}
