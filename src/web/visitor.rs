//! The visitor of a page: typed access to the session in the cookie.

use std::future::{Ready, ready};

use actix_session::{Session, SessionExt};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    error::WebError,
    layout::{PageLayout, Section},
};
use crate::{
    app::App,
    common::name::Name,
    moderator::{self, KnownDevice, Moderator},
    presence::UserId,
};

const NAME: &str = "name";
const USER: &str = "user";
const BUDDY: &str = "buddy";
const MODERATOR: &str = "moderator";
const CSRF: &str = "csrf";
const DEVICE: &str = "device";

/// A browser, signed in or not. Its session is in a cookie, encrypted and signed.
pub struct Visitor {
    session: Session,
}

/// A visitor who has entered a name on the Buddies page.
pub struct Buddy {
    pub user: UserId,
    pub name: Name,
}

/// The account of a signed-in visitor, as the cookie stores it.
#[derive(Serialize, Deserialize)]
struct SignedInAs {
    id: i64,
    stamp: String,
}

impl Visitor {
    pub fn new(session: Session) -> Visitor {
        Visitor { session }
    }

    /// The name with which the visitor last joined a room.
    pub fn name(&self) -> Option<Name> {
        self.session.get(NAME).ok().flatten()
    }

    /// # Errors
    /// The cookie would become too large.
    pub fn remember_name(&self, name: &Name) -> Result<(), WebError> {
        Ok(self.session.insert(NAME, name)?)
    }

    /// The user id of this browser in Buddies; created on first use.
    ///
    /// # Errors
    /// The cookie would become too large.
    pub fn user(&self) -> Result<UserId, WebError> {
        if let Some(user) = self.session.get(USER).ok().flatten() {
            return Ok(user);
        }
        let user = UserId::random();
        self.session.insert(USER, user)?;
        Ok(user)
    }

    /// The buddy; `None` until the visitor has entered a name.
    pub fn buddy(&self) -> Option<Buddy> {
        let user = self.session.get(USER).ok().flatten()?;
        let name = self.session.get(BUDDY).ok().flatten()?;
        Some(Buddy { user, name })
    }

    /// # Errors
    /// The cookie would become too large.
    pub fn remember_buddy(&self, name: &Name) -> Result<(), WebError> {
        Ok(self.session.insert(BUDDY, name)?)
    }

    /// The CSRF token, which every form must contain; created on first use.
    ///
    /// # Errors
    /// The cookie would become too large.
    pub fn csrf(&self) -> Result<String, WebError> {
        if let Some(token) = self.session.get::<String>(CSRF).ok().flatten() {
            return Ok(token);
        }
        let token = random_token();
        self.session.insert(CSRF, &token)?;
        Ok(token)
    }

    /// Whether a form contained this visitor's CSRF token.
    pub fn has_csrf(&self, given: &str) -> bool {
        let kept: Option<String> = self.session.get(CSRF).ok().flatten();
        kept.is_some_and(|kept| {
            aws_lc_rs::constant_time::verify_slices_are_equal(kept.as_bytes(), given.as_bytes())
                .is_ok()
        })
    }

    /// The account to which the visitor is signed in; `None` also after it was removed or got a new password.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn moderator(&self, app: &App) -> Result<Option<Moderator>, WebError> {
        let Some(kept) = self.session.get::<SignedInAs>(MODERATOR).ok().flatten() else {
            return Ok(None);
        };
        let found = moderator::find(app.db(), kept.id).await?;
        Ok(found.filter(|account| account.stamp == kept.stamp))
    }

    /// # Errors
    /// The cookie would become too large.
    pub fn sign_in(&self, account: &Moderator) -> Result<(), WebError> {
        // A CSRF token from before the sign-in is not valid after it.
        self.session.remove(CSRF);
        let kept = SignedInAs {
            id: account.id,
            stamp: account.stamp.clone(),
        };
        self.session.renew();
        if self
            .device()
            .is_none_or(|device| device.account != account.id)
        {
            let device = KnownDevice {
                id: random_token(),
                account: account.id,
            };
            self.session.insert(DEVICE, device)?;
        }
        Ok(self.session.insert(MODERATOR, kept)?)
    }

    /// This browser, if it has signed in to an account before.
    pub fn device(&self) -> Option<KnownDevice> {
        self.session.get(DEVICE).ok().flatten()
    }

    /// Forgets everything but that this browser has signed in before.
    ///
    /// # Errors
    /// The cookie would become too large.
    pub fn sign_out(&self) -> Result<(), WebError> {
        let device = self.device();
        self.session.clear();
        if let Some(device) = device {
            self.session.insert(DEVICE, device)?;
        }
        Ok(())
    }

    /// The layout of a page for this visitor.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn layout(&self, app: &App, section: Section) -> Result<PageLayout, WebError> {
        let moderator = self.moderator(app).await?.map(|account| account.name);
        Ok(PageLayout::new(section, moderator, self.csrf()?))
    }
}

fn random_token() -> String {
    let mut random = [0_u8; 24];
    rand::fill(&mut random).expect("the system has random bytes");
    URL_SAFE_NO_PAD.encode(random)
}

impl FromRequest for Visitor {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Visitor::new(request.get_session())))
    }
}

/// Available behind [`super::guard::buddy`].
impl FromRequest for Buddy {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found_by_guard(request))
    }
}

/// A visitor who is signed in as a moderator. Available behind [`super::guard::moderator`].
pub struct SignedIn {
    pub moderator: Moderator,
    pub visitor: Visitor,
}

impl SignedIn {
    /// The layout of a page for this moderator.
    ///
    /// # Errors
    /// The cookie would become too large.
    pub fn layout(&self, section: Section) -> Result<PageLayout, WebError> {
        let name = Some(self.moderator.name.clone());
        Ok(PageLayout::new(section, name, self.visitor.csrf()?))
    }
}

impl FromRequest for SignedIn {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found_by_guard(request))
    }
}

/// The result of the route's guard.
///
/// # Errors
/// The route has another guard in the table, which is a bug.
pub(super) fn found_by_guard<T: 'static>(request: &HttpRequest) -> Result<T, WebError> {
    let found = request.extensions_mut().remove::<T>();
    found.ok_or_else(|| anyhow::anyhow!("the route has another guard").into())
}
