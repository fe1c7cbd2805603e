//! JSON Web Tokens: who somebody is, signed by whoever may say so. Checked here, and signed with a secret.
//!
//! A key is tied to one algorithm when it is read, and a token that names another is refused; no other field of a
//! token's header is followed. Nothing here reads a clock or a file. What is wrong with a token is not told, except that
//! its time is over: then the client may get a fresh one.

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longer tokens are not looked at.
const MAX_BYTES: usize = 8 * 1024;

/// By so many seconds may the clocks differ, of who signs and of who checks.
pub const LEEWAY: u64 = 5;

/// The shortest secret: as long as what HS256 makes of it (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The length of the modulus of the shortest RSA key (RFC 7518, 3.3), in the base64 of a JWK.
const MIN_RSA_CHARS: usize = (2048 / 8 * 4usize).div_ceil(3);

/// What every key file but one of RSA's begins with, and what that may begin with too.
const PUBLIC_KEYS: [&str; 2] = ["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"];

/// What a token is checked with, and the one algorithm that it is for.
pub struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Key {
    /// A secret, for HS256. Refused with the rest of a sentence that begins with what it is called.
    pub fn secret(secret: &[u8]) -> Result<Self, String> {
        check_length(secret)?;
        Ok(Self { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) })
    }

    /// A public key as the text of a PEM file. Its kind tells the algorithm: RS256, ES256 or EdDSA. Refused with the rest
    /// of a sentence that begins with the file's name.
    pub fn public(pem: &str) -> Result<Self, String> {
        let begin = pem.find("-----BEGIN ").map(|start| &pem[start..]).ok_or("is not a PEM file")?;
        if !PUBLIC_KEYS.iter().any(|line| begin.starts_with(line)) {
            return Err("does not begin with a public key".into());
        }
        let pem = begin.as_bytes();
        let read = DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key));
        let read = read.or_else(|_| DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key)));
        let read = read.or_else(|_| DecodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDSA, key)));
        let (algorithm, key) = read.map_err(|_| "holds no key of RSA, of the curve P-256 or of Ed25519")?;
        let key = Self { algorithm, key };
        key.check_kind()?;
        Ok(key)
    }

    /// So that a key which no token could ever be checked with shows at the start.
    fn check_kind(&self) -> Result<(), String> {
        // In this order: the length has to be right before the key is tried.
        let parts = Jwk::from_decoding_key(&self.key, None).map_err(|_| "holds a damaged key")?;
        match parts.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() < MIN_RSA_CHARS => {
                return Err("holds a key of RSA with less than 2048 bits".into());
            }
            _ => {}
        }
        let tried = jsonwebtoken::crypto::verify("", b"", &self.key, self.algorithm);
        tried.map(|_| ()).map_err(|_| "holds a damaged key, or one of another curve than P-256".into())
    }

    fn open(&self, token: &str) -> Option<Payload> {
        // The time is checked by ours, and the rest by rules that the library doesn't have.
        let mut validation = Validation::new(self.algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let opened = jsonwebtoken::decode::<Payload>(token, &self.key, &validation).ok()?;
        // Whoever signed it wants something understood that isn't.
        opened.header.crit.is_none().then_some(opened.claims)
    }
}

fn check_length(secret: &[u8]) -> Result<(), String> {
    let is_long_enough = secret.len() >= MIN_SECRET_BYTES;
    is_long_enough.then_some(()).ok_or_else(|| format!("must have at least {MIN_SECRET_BYTES} bytes"))
}

/// What is taken from a token that may be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// Who: an id, a UUID or a name, never empty. Whether there is such a user is not looked at.
    pub user: String,
    /// Until when, in seconds since 1970; may be as large as a number can be.
    pub expires: u64,
}

/// Why a token was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is not one of ours, or not one for us.
    Unauthorized,
    /// It was good, and its time is over.
    Expired,
}

/// Checks tokens.
pub struct Verifier {
    current: Key,
    previous: Option<Key>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Verifier {
    /// Takes what was signed for the current key, or for the one that was current before. An issuer or audience, if
    /// given, must be the token's.
    pub fn new(current: Key, previous: Option<Key>, issuer: Option<String>, audience: Option<String>) -> Self {
        Self { current, previous, issuer, audience }
    }

    /// Tells who shows the token; `now` is in seconds since 1970.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Refused> {
        if token.len() > MAX_BYTES {
            return Err(Refused::Unauthorized);
        }
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let payload = keys.find_map(|key| key.open(token)).ok_or(Refused::Unauthorized)?;
        if !self.is_for_us(&payload) || payload.nbf.is_some_and(|nbf| seconds(nbf.ceil()) > now.saturating_add(LEEWAY))
        {
            return Err(Refused::Unauthorized);
        }
        let expires = seconds(payload.exp);
        let user = payload.user().ok_or(Refused::Unauthorized)?;
        if now >= expires.saturating_add(LEEWAY) { Err(Refused::Expired) } else { Ok(Claims { user, expires }) }
    }

    fn is_for_us(&self, payload: &Payload) -> bool {
        let is = |value: &Value, wanted: &str| value.as_str() == Some(wanted);
        let issuer = self.issuer.as_deref();
        let audience = self.audience.as_deref();
        issuer.is_none_or(|wanted| payload.iss.as_ref().is_some_and(|iss| is(iss, wanted)))
            && audience.is_none_or(|wanted| match &payload.aud {
                Some(Value::Array(all)) => all.iter().any(|aud| is(aud, wanted)),
                aud => aud.as_ref().is_some_and(|aud| is(aud, wanted)),
            })
    }

    /// What it is, for the operator: such as "HS256, with a previous key".
    pub fn description(&self) -> String {
        let previous = match &self.previous {
            Some(key) if key.algorithm == self.current.algorithm => ", with a previous key".into(),
            Some(key) => format!(", with a previous key for {:?}", key.algorithm),
            None => String::new(),
        };
        format!("{:?}{previous}", self.current.algorithm)
    }
}

/// A time, which may have a fraction; what is out of range becomes the nearest.
fn seconds(time: f64) -> u64 {
    time as u64
}

/// A token's claims as they come. One of these given twice is an error, as is a time that is no number.
#[derive(Deserialize)]
struct Payload {
    exp: f64,
    nbf: Option<f64>,
    iss: Option<Value>,
    aud: Option<Value>,
    sub: Option<Value>,
    user_id: Option<Value>,
    #[serde(rename = "userId")]
    user_id_in_camel_case: Option<Value>,
    id: Option<Value>,
}

impl Payload {
    /// The first of them that is there counts, whatever it is.
    fn user(self) -> Option<String> {
        let named = self.sub.or(self.user_id).or(self.user_id_in_camel_case).or(self.id)?;
        match named {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        }
    }
}

#[derive(Serialize)]
struct Signed<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Makes a token for a user, which is good from `now` for `ttl` seconds, with HS256. Refused like [`Key::secret`].
pub fn sign(
    secret: &[u8],
    user: &str,
    issuer: Option<&str>,
    audience: Option<&str>,
    now: u64,
    ttl: u64,
) -> Result<String, String> {
    check_length(secret)?;
    let claims = Signed { sub: user, iat: now, exp: now.saturating_add(ttl), iss: issuer, aud: audience };
    let signed = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret));
    signed.map_err(|error| format!("can't be signed with: {error}"))
}

#[cfg(test)]
mod tests;
