//! A table of tokens, good and hostile. Those of public keys were signed with openssl; the others are signed here, with
//! whatever header and payload it takes.

use super::*;

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const PREVIOUS: &[u8] = b"the secret that was in use last month";

const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAkdqXKy3O1SyARW4s3yjW
GKxK39xx+5wmGsHwwbiEXcBVXB0WpZxWjisiFI95R/8fJh6SUuvyb7s8gP2Fkgat
ledWKTh3fcFuCeORvj8IpG25LPgmabpxeJ54TcBjaRhfQx+THUGuEPcfuOJi7IUr
stzCjUh3m9MAPqKbLs+5lunI+n4aYiIRgRL5458Oob7eWp52Kc1k/ZN+Od4eRKHv
wzIwInT+ph7+eBKnnk3t1TeYiJFDY7tOFp6Tra4qBwj3XUqB0CWZl8qxDATIRp2Z
1OjOKBJKgfOIUQLHeK1spIT3JlzqDOWJs6326hYNkw4Ge9NXXMRH/79zmLHMg9sv
0QIDAQAB
-----END PUBLIC KEY-----
";
const SHORT_RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDbIaCVVjrQsKWdWLGy6prEK59x
jQAH41masl/rnIiWMfnXDj5+t73M+LOAF07xyrRq/WZsmkH5zw19IFnvPDZdmoml
orfqcZeOEfMymyeCAqXd/sQt6tWA6OrFGCBjPV47C1M7OQZy3XPgjnnlPLJUVPjM
6TMGy1MkjstSrVxYQwIDAQAB
-----END PUBLIC KEY-----
";
const EC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ944XsohOpdAPqFLkn5NIVyrTNke
HT09Z8dfT5VVR2CFUEbsOpL8m1mzBi8mdhhTd+AKPpQX0sWHUtnpWNy73Q==
-----END PUBLIC KEY-----
";
const P384_KEY: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEZjeZOVzeGbGKp01RYm/zw7pOEXvG5paf
QG1bu5OIgSOfo7ZfYvSzcizcnRM7s+6OxLG6qmTvZAJd0PJIFge+O4mtxcazUR/O
qgzRfLrHOgCS1RPMuSxSqTix9rrq0Kt9
-----END PUBLIC KEY-----
";
const ED_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA9sMKcTsMyvDwEc0MNUnkPvozXVWFtP+dHODduZGMBxk=
-----END PUBLIC KEY-----
";

// Each says {"sub":"ann","exp":2000000000}.
const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJleHAiOjIwMDAwMDAwMDB9.IHibUQrACFpmVoif8c28m8\
     UwBOYeY8Fucn2cJwZlfbN4Q58D9XiDZpMvczEBRzCd2QtDQIB9mwhNfPXro0ACY3fiXZLTXQ64I-\
     JdCdYEzRsz0huBd9OE69y6EXS_BZP7RdfTFIefF5ApXlo9ZpdH_l5Ij4BPAesPuacHTyQuL9bFWnOcrPIVj86dhkrezol4Wy8FFB\
     GypAYTVxycCoz2GKGCSvtLwmtwrYlLZQKPtNaNtPohE_kxNw4HSsaOZQZsMV6INefz1BKlhBBrmXRzQdjwV09mRpslWirosSra_7\
     jl84LJLItSZFXcsZ14IkP2Jr9oa3WX4oV6JeIMHWds2A";
const ES256: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJleHAiOjIwMDAwMDAwMDB9.HgVmRAs_HmcAWSMG2Ji0PG\
     D3fqQEcnBI2dTQokGo8DoKewE7qIo-PhgZXPaSZIcHyDeRLjJz6aPPi7jEYO1fZg";
const EDDSA: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJleHAiOjIwMDAwMDAwMDB9.QKU716HQUrmoyU2HBMLxMk\
     saKmLKfnZD-_T6nruKuCdUbVFnH_P2-IY_ExOVtaPm06ZrLkdTVZEtBY6dTYBSCw";

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let triples = text.as_bytes().chunks(3).map(|three| {
        let bits = three.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte)) << (8 * (3 - three.len()));
        let digits = (0..=three.len()).map(move |place| char::from(DIGITS[bits >> (18 - 6 * place) & 63]));
        digits.collect::<String>()
    });
    triples.collect()
}

/// Whatever stands in it, the signature is HS256's.
fn token(header: &str, payload: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", base64(header), base64(payload));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn saying(payload: &str) -> String {
    token(HS256, payload, SECRET)
}

fn headed(header: &str) -> String {
    token(header, r#"{"sub":"ann","exp":1800000060}"#, SECRET)
}

fn secrets() -> Verifier {
    Verifier::new(Key::secret(SECRET).unwrap(), Some(Key::secret(PREVIOUS).unwrap()), None, None)
}

fn public(pem: &str) -> Verifier {
    Verifier::new(Key::public(pem).unwrap(), None, None, None)
}

fn particular() -> Verifier {
    let (issuer, audience) = (Some("login.example".into()), Some("chat".into()));
    Verifier::new(Key::secret(SECRET).unwrap(), None, issuer, audience)
}

fn taken(user: &str, expires: u64) -> Result<Claims, Refused> {
    Ok(Claims { user: user.into(), expires })
}

fn check(verifier: &Verifier, table: &[(&str, String, Result<Claims, Refused>)]) {
    for (name, token, expected) in table {
        assert_eq!(verifier.verify(token, NOW), *expected, "{name}");
    }
}

const NO: Result<Claims, Refused> = Err(Refused::Unauthorized);
const LATE: Result<Claims, Refused> = Err(Refused::Expired);

#[test]
fn the_user_and_the_time_are_read() {
    let soon = |user| taken(user, 1_800_000_060);
    check(
        &secrets(),
        &[
            ("plain", saying(r#"{"sub":"ann","exp":1800000060}"#), soon("ann")),
            ("user_id", saying(r#"{"user_id":"ann","exp":1800000060}"#), soon("ann")),
            ("userId, an integer", saying(r#"{"userId":7,"exp":1800000060}"#), soon("7")),
            ("id", saying(r#"{"id":18446744073709551615,"exp":1800000060}"#), soon("18446744073709551615")),
            ("sub counts first", saying(r#"{"id":1,"userId":2,"user_id":3,"sub":"4","exp":1800000060}"#), soon("4")),
            ("a null is none", saying(r#"{"sub":null,"id":1,"exp":1800000060}"#), soon("1")),
            (
                "what is not asked for",
                saying(r#"{"sub":"ann","id":[],"role":{},"aud":1,"exp":1800000060}"#),
                soon("ann"),
            ),
            ("no sub", saying(r#"{"name":"ann","exp":1800000060}"#), NO),
            ("an empty sub", saying(r#"{"sub":"","id":1,"exp":1800000060}"#), NO),
            ("a sub with a fraction", saying(r#"{"sub":1.5,"exp":1800000060}"#), NO),
            ("a sub that is a list", saying(r#"{"sub":["ann"],"exp":1800000060}"#), NO),
            ("no exp", saying(r#"{"sub":"ann"}"#), NO),
            ("exp null", saying(r#"{"sub":"ann","exp":null}"#), NO),
            ("exp as a string", saying(r#"{"sub":"ann","exp":"1800000060"}"#), NO),
            ("exp with a fraction", saying(r#"{"sub":"ann","exp":1800000060.9}"#), soon("ann")),
            ("a huge exp", saying(r#"{"sub":"ann","exp":18446744073709551615}"#), taken("ann", u64::MAX)),
            ("a larger exp", saying(r#"{"sub":"ann","exp":1e300}"#), taken("ann", u64::MAX)),
            ("an exp that is no number any more", saying(r#"{"sub":"ann","exp":1e400}"#), NO),
            ("expired, within the leeway", saying(r#"{"sub":"ann","exp":1799999996}"#), taken("ann", 1_799_999_996)),
            ("expired", saying(r#"{"sub":"ann","exp":1799999995}"#), LATE),
            ("expired before 1970", saying(r#"{"sub":"ann","exp":-1}"#), LATE),
            ("expired, and nobody's", saying(r#"{"exp":1}"#), NO),
            ("nbf within the leeway", saying(r#"{"sub":"ann","nbf":1800000005,"exp":1800000060}"#), soon("ann")),
            ("nbf in the future", saying(r#"{"sub":"ann","nbf":1800000006,"exp":1800000060}"#), NO),
            ("nbf far away", saying(r#"{"sub":"ann","nbf":1e300,"exp":1800000060}"#), NO),
            ("nbf as a string", saying(r#"{"sub":"ann","nbf":"0","exp":1800000060}"#), NO),
            ("sub twice", saying(r#"{"sub":"ann","sub":"bob","exp":1800000060}"#), NO),
            ("sub twice, disguised", saying(r#"{"sub":"ann","s\u0075b":"bob","exp":1800000060}"#), NO),
            ("exp twice", saying(r#"{"sub":"ann","exp":1,"exp":1800000060}"#), NO),
            ("not an object", saying(r#"["ann",1800000060]"#), NO),
            ("not JSON", saying("ann"), NO),
        ],
    );
    assert_eq!(secrets().verify(&saying(r#"{"sub":"ann","exp":1e300}"#), u64::MAX), LATE);
}

#[test]
fn the_key_decides_and_not_the_token() {
    let plain = headed(HS256);
    let (message, signature) = plain.rsplit_once('.').unwrap();
    let none = |alg: &str| base64(&format!(r#"{{"alg":"{alg}"}}"#)) + "." + message.split('.').nth(1).unwrap() + ".";
    let good = taken("ann", 1_800_000_060);
    check(
        &secrets(),
        &[
            ("plain", plain.clone(), good.clone()),
            ("the previous key", token(HS256, r#"{"sub":"ann","exp":1800000060}"#, PREVIOUS), good.clone()),
            ("another key", token(HS256, r#"{"sub":"ann","exp":1800000060}"#, b"x"), NO),
            ("alg none", none("none"), NO),
            ("alg None", none("None"), NO),
            ("alg none, with a signature", none("none") + signature, NO),
            ("no alg", headed(r#"{"typ":"JWT"}"#), NO),
            ("alg twice", headed(r#"{"alg":"none","alg":"HS256"}"#), NO),
            ("another alg of the same family", headed(r#"{"alg":"HS512"}"#), NO),
            ("another alg", RS256.into(), NO),
            ("a path as kid", headed(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#), good.clone()),
            ("SQL as kid", headed(r#"{"alg":"HS256","kid":"' UNION SELECT 'x"}"#), good.clone()),
            (
                "a key to be fetched",
                headed(r#"{"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"file:///"}"#),
                good.clone(),
            ),
            (
                "a key brought along",
                headed(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"eA"},"x5c":["eA"]}"#),
                good.clone(),
            ),
            ("something critical", headed(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#), NO),
            ("no signature", format!("{message}."), NO),
            ("no third part", message.into(), NO),
            ("a fourth part", format!("{plain}.{signature}"), NO),
            ("a cut signature", plain[..plain.len() - 2].into(), NO),
            ("padding", format!("{plain}="), NO),
            ("a line break", format!("{plain}\n"), NO),
            ("nothing", String::new(), NO),
            ("garbage", "..".into(), NO),
            ("more garbage", "é.\u{0}.=".into(), NO),
            ("deep", headed(&format!(r#"{{"alg":"HS256","x":{}}}"#, "[".repeat(2_000))), NO),
            ("long", saying(&format!(r#"{{"sub":"{}","exp":1800000060}}"#, "a".repeat(6_100))), NO),
        ],
    );
    let other = token(HS256, r#"{"sub":"bob","exp":1800000060}"#, b"x");
    let other = other.rsplit_once('.').unwrap().0;
    check(&secrets(), &[("another's signature", format!("{other}.{signature}"), NO)]);
    // Just within the limit it is read.
    let long = "a".repeat(6_000);
    let token = saying(&format!(r#"{{"sub":"{long}","exp":1800000060}}"#));
    assert!(token.len() <= MAX_BYTES && secrets().verify(&token, NOW) == taken(&long, 1_800_000_060));
}

#[test]
fn public_keys_tell_their_algorithm() {
    let all = [(RSA_KEY, RS256, "RS256"), (EC_KEY, ES256, "ES256"), (ED_KEY, EDDSA, "EdDSA")];
    for (pem, own, name) in all {
        let verifier = public(pem);
        assert_eq!(verifier.description(), name);
        for (_, token, other) in all {
            let expected = if other == name { taken("ann", 2_000_000_000) } else { NO };
            assert_eq!(verifier.verify(token, NOW), expected, "{other} for {name}");
        }
        assert_eq!(verifier.verify(own, 2_000_000_005), LATE);
        let (message, signature) = own.rsplit_once('.').unwrap();
        let payload = base64(r#"{"sub":"bob","exp":2000000000}"#);
        let forged = format!("{}.{payload}.{signature}", message.split('.').next().unwrap());
        assert_eq!(verifier.verify(&forged, NOW), NO);
        // Everybody knows the public key, and may use it as a secret.
        for header in [HS256, &HS256.replace("HS256", name)] {
            for secret in [pem, pem.trim()] {
                let confused = token(header, r#"{"sub":"ann","exp":1800000060}"#, secret.as_bytes());
                assert_eq!(verifier.verify(&confused, NOW), NO, "{header}");
            }
        }
    }
}

#[test]
fn a_previous_key_may_be_of_another_kind() {
    let (secret, public) = (Key::secret(SECRET).unwrap(), Key::public(RSA_KEY).unwrap());
    let verifier = Verifier::new(public, Some(secret), None, None);
    assert_eq!(verifier.description(), "RS256, with a previous key for HS256");
    assert_eq!(secrets().description(), "HS256, with a previous key");
    assert_eq!(verifier.verify(RS256, NOW), taken("ann", 2_000_000_000));
    assert_eq!(verifier.verify(&headed(HS256), NOW), taken("ann", 1_800_000_060));
    let confused = token(HS256, r#"{"sub":"ann","exp":1800000060}"#, RSA_KEY.as_bytes());
    assert_eq!(verifier.verify(&confused, NOW), NO);
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_set() {
    let with = |more: &str| saying(&format!(r#"{{"sub":"ann","exp":1800000060{more}}}"#));
    let good = taken("ann", 1_800_000_060);
    check(
        &particular(),
        &[
            ("both", with(r#","iss":"login.example","aud":"chat""#), good.clone()),
            ("one of a list", with(r#","iss":"login.example","aud":["mail","chat"]"#), good),
            ("no iss", with(r#","aud":"chat""#), NO),
            ("another iss", with(r#","iss":"Login.example","aud":"chat""#), NO),
            ("a list of iss", with(r#","iss":["login.example"],"aud":"chat""#), NO),
            ("no aud", with(r#","iss":"login.example""#), NO),
            ("another aud", with(r#","iss":"login.example","aud":"mail""#), NO),
            ("an empty list", with(r#","iss":"login.example","aud":[]"#), NO),
            ("other values in the list", with(r#","iss":"login.example","aud":[1,"chat ",["chat"]]"#), NO),
            ("iss twice", with(r#","iss":"x","iss":"login.example","aud":"chat""#), NO),
            ("expired, of another iss", saying(r#"{"sub":"ann","exp":1,"iss":"x","aud":"chat"}"#), NO),
            ("expired", saying(r#"{"sub":"ann","exp":1,"iss":"login.example","aud":"chat"}"#), LATE),
        ],
    );
}

#[test]
fn what_is_signed_is_taken() {
    let token = sign(SECRET, "ann", Some("login.example"), Some("chat"), NOW, 60).unwrap();
    assert_eq!(particular().verify(&token, NOW), taken("ann", NOW + 60));
    assert_eq!(particular().verify(&token, NOW + 65), LATE);
    assert_eq!(secrets().verify(&token, NOW), taken("ann", NOW + 60));
    let token = sign(SECRET, "ann", None, None, NOW, u64::MAX).unwrap();
    assert_eq!(secrets().verify(&token, NOW), taken("ann", u64::MAX));
    assert_eq!(particular().verify(&token, NOW), NO);
    assert_eq!(sign(b"short", "ann", None, None, NOW, 60), Err("must have at least 32 bytes".into()));
}

#[test]
fn keys_that_would_not_do_are_refused_at_once() {
    assert_eq!(Key::secret(&[b'x'; 31]).err().unwrap(), "must have at least 32 bytes");
    assert!(Key::secret(&[b'x'; 32]).is_ok());
    let damaged =
        ED_KEY.replace("MCowBQYDK2VwAyEA9sMKcTsMyvDwEc0MNUnkPvozXVWFtP+dHODduZGMBxk=", "MAwwBQYDK2VwAwMA9sM=");
    let cases = [
        ("", "is not a PEM file"),
        ("ssh-ed25519 AAAA", "is not a PEM file"),
        ("-----BEGIN PRIVATE KEY-----", "does not begin with a public key"),
        ("-----BEGIN CERTIFICATE-----", "does not begin with a public key"),
        ("-----BEGIN PUBLIC KEY-----\n!\n", "holds no key of RSA, of the curve P-256 or of Ed25519"),
        (SHORT_RSA_KEY, "holds a key of RSA with less than 2048 bits"),
        (P384_KEY, "holds a damaged key, or one of another curve than P-256"),
        (&damaged, "holds a damaged key"),
    ];
    for (pem, sentence) in cases {
        assert_eq!(Key::public(pem).err().unwrap(), sentence, "{pem}");
    }
    assert!(Key::public(&format!("Made by hand:\r\n{}", EC_KEY.replace('\n', "\r\n"))).is_ok());
}
