//! Logins, tokens and pairings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tokens as sent to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenSet {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) expires_in: u64,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) account: String,
    pub(super) user: String,
    /// Whether the token came from pairing.
    pub(super) from_pairing: bool,
}

/// Why a bearer token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    Unknown,
    Expired,
}

/// Why a refresh token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadRefresh {
    Unknown,
    Spent,
}

#[derive(Debug)]
struct Grant {
    id: u64,
    holder: Holder,
    refresh: String,
    /// Rotated refresh tokens, and when they were rotated.
    spent: Vec<(String, Instant)>,
    access: Vec<(String, Instant)>,
}

/// Refresh tokens rotate: each works once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotation {
    /// How long a spent one works once more: the response to its first use may have been lost.
    pub(super) grace: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    grants: Vec<Grant>,
    /// The grants from pairing, by account and user.
    pairings: BTreeMap<(String, String), u64>,
    next: u64,
}

impl Tokens {
    pub(super) fn issue(&mut self, holder: Holder, life: Duration) -> TokenSet {
        self.next += 1;
        let access = random_token();
        let refresh = random_token();
        self.grants.push(Grant {
            id: self.next,
            holder,
            refresh: refresh.clone(),
            spent: Vec::new(),
            access: vec![(access.clone(), Instant::now() + life)],
        });
        TokenSet { access, refresh, expires_in: life.as_secs() }
    }

    /// Returns the holder of an access token.
    pub(super) fn check(&self, token: Option<&str>) -> Result<&Holder, Refused> {
        let token = token.ok_or(Refused::Missing)?;
        let found = self.grants.iter().find_map(|grant| {
            let (_, until) = grant.access.iter().find(|(access, _)| access == token)?;
            Some((grant, *until))
        });
        let (grant, until) = found.ok_or(Refused::Unknown)?;
        if Instant::now() >= until { Err(Refused::Expired) } else { Ok(&grant.holder) }
    }

    /// Returns a new access token, and a new refresh token if they rotate.
    pub(super) fn refresh(
        &mut self,
        account: &str,
        token: &str,
        rotation: Option<Rotation>,
        life: Duration,
    ) -> Result<TokenSet, BadRefresh> {
        let now = Instant::now();
        let is_spent = |(old, _): &(String, Instant)| old == token;
        let spent = self.grants.iter().any(|grant| grant.spent.iter().any(is_spent));
        let refused = if spent { BadRefresh::Spent } else { BadRefresh::Unknown };
        let honours = |grant: &Grant| {
            let again = grant.spent.iter().find(|spent| is_spent(spent));
            let grace = rotation.map(|rotation| rotation.grace).unwrap_or_default();
            grant.refresh == token
                || again.is_some_and(|(_, at)| now.saturating_duration_since(*at) < grace)
        };
        let mut own = self.grants.iter_mut().filter(|grant| grant.holder.account == account);
        let grant = own.find(|grant| honours(grant)).ok_or(refused)?;
        if rotation.is_some() {
            grant.spent.retain(|spent| !is_spent(spent));
            let former = std::mem::replace(&mut grant.refresh, random_token());
            if former == token {
                grant.spent.push((former, now));
            }
        }
        let access = random_token();
        grant.access.push((access.clone(), now + life));
        Ok(TokenSet { access, refresh: grant.refresh.clone(), expires_in: life.as_secs() })
    }

    /// Ends the login that an access or refresh token belongs to.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        let before = self.grants.len();
        self.grants.retain(|grant| {
            grant.refresh != token && grant.access.iter().all(|(access, _)| access != token)
        });
        before != self.grants.len()
    }

    /// Expires access tokens now: all of them, or those of one account.
    pub(super) fn expire(&mut self, account: Option<&str>) {
        let now = Instant::now();
        for grant in &mut self.grants {
            if account.is_none_or(|account| account == grant.holder.account) {
                for (_, until) in &mut grant.access {
                    *until = now.min(*until);
                }
            }
        }
    }

    /// Binds the user to the account. Pairing again returns the same tokens while they are valid.
    pub(super) fn pair(&mut self, account: &str, user: &str, life: Duration) -> TokenSet {
        let key = (account.to_owned(), user.to_owned());
        if let Some(grant) = self
            .pairings
            .get(&key)
            .and_then(|id| self.grants.iter_mut().find(|grant| grant.id == *id))
        {
            let now = Instant::now();
            let unexpired = grant.access.iter().rev().find(|(_, until)| *until > now).cloned();
            let (access, until) = unexpired.unwrap_or_else(|| {
                let fresh = (random_token(), now + life);
                grant.access.push(fresh.clone());
                fresh
            });
            let expires_in = until.saturating_duration_since(now).as_secs();
            return TokenSet { access, refresh: grant.refresh.clone(), expires_in };
        }
        let holder =
            Holder { account: account.to_owned(), user: user.to_owned(), from_pairing: true };
        let tokens = self.issue(holder, life);
        self.pairings.insert(key, self.next);
        tokens
    }

    /// Ends the pairings of all users of the account, and returns how many there were.
    pub(super) fn unpair(&mut self, account: &str) -> usize {
        let before = self.pairings.len();
        self.pairings.retain(|(paired, _), _| paired != account);
        before - self.pairings.len()
    }

    /// Whether the holder is paired with its account.
    pub(super) fn is_paired(&self, holder: &Holder, pair_tokens_only: bool) -> bool {
        let key = (holder.account.clone(), holder.user.clone());
        self.pairings.contains_key(&key) && (holder.from_pairing || !pair_tokens_only)
    }

    /// Returns the users that are paired with an account.
    pub(super) fn paired_users(&self, account: &str) -> Vec<String> {
        let own = self.pairings.keys().filter(|(paired, _)| paired == account);
        own.map(|(_, user)| user.clone()).collect()
    }
}

/// Returns 32 hexadecimal digits that cannot be guessed.
pub(super) fn random_token() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        fastrand::fill(&mut bytes);
    }
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn holder() -> Holder {
        Holder { account: "1".to_owned(), user: "lab".to_owned(), from_pairing: false }
    }

    #[test]
    fn a_rotated_refresh_token_works_once() {
        let mut tokens = Tokens::default();
        let first = tokens.issue(holder(), HOUR);
        let strict = Some(Rotation { grace: Duration::ZERO });
        let second = tokens.refresh("1", &first.refresh, strict, HOUR).expect("fresh");
        assert_eq!(tokens.refresh("1", &first.refresh, strict, HOUR), Err(BadRefresh::Spent));
        assert!(tokens.check(Some(&second.access)).is_ok());
        assert_eq!(tokens.refresh("2", &second.refresh, strict, HOUR), Err(BadRefresh::Unknown));
    }

    #[test]
    fn within_its_grace_a_rotated_token_works_once_more() {
        let mut tokens = Tokens::default();
        let first = tokens.issue(holder(), HOUR);
        let kind = Some(Rotation { grace: HOUR });
        tokens.refresh("1", &first.refresh, kind, HOUR).expect("fresh; its answer is lost");
        let third = tokens.refresh("1", &first.refresh, kind, HOUR).expect("once more");
        assert!(tokens.refresh("1", &first.refresh, kind, HOUR).is_err(), "and no more");
        tokens.refresh("1", &third.refresh, kind, HOUR).expect("fresh");
    }

    #[test]
    fn pairing_again_gives_the_same_tokens_and_unpairing_ends_all() {
        let mut tokens = Tokens::default();
        let first = tokens.pair("1", "lab", HOUR);
        let again = tokens.pair("1", "lab", HOUR);
        assert_eq!((first.access.clone(), first.refresh), (again.access, again.refresh));
        tokens.pair("1", "other", HOUR);
        assert!(tokens.is_paired(&holder(), false) && !tokens.is_paired(&holder(), true));
        assert_eq!(tokens.unpair("1"), 2);
        let still = tokens.check(Some(&first.access)).expect("the token itself lives").clone();
        assert!(!tokens.is_paired(&still, false));
    }

    #[test]
    fn expired_and_unknown_tokens_are_told_apart() {
        let mut tokens = Tokens::default();
        let set = tokens.issue(holder(), HOUR);
        tokens.expire(Some("2"));
        assert!(tokens.check(Some(&set.access)).is_ok());
        tokens.expire(None);
        assert_eq!(tokens.check(Some(&set.access)), Err(Refused::Expired));
        assert_eq!(tokens.check(Some("x")), Err(Refused::Unknown));
        assert_eq!(tokens.check(None), Err(Refused::Missing));
    }
}
