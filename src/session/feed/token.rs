//! What a consumer has acknowledged, and the token that stands for it.

use std::fmt;
use std::str::FromStr;

use crate::queue::position::Position;

/// The place of a key in the order in which changes are delivered: transaction, change, and number of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub xid: u64,
    pub change: i64,
    pub key: i64,
}

impl Place {
    /// Before all places.
    pub const BEGIN: Place = Place {
        xid: 0,
        change: 0,
        key: 0,
    };
}

/// What a snapshot sees: all of it, or all up to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upto {
    pub target: Position,
    pub place: Option<Place>,
}

impl Upto {
    /// Whether all that `other` stands for is in this, too.
    ///
    /// Both follow from one position: what is visible in it counts for both.
    pub fn is_at_or_ahead_of(&self, other: &Upto) -> bool {
        self.target.is_at_or_ahead_of(&other.target)
            && match (self.place, other.place) {
                (None, _) => true,
                (Some(_), None) => self.target != other.target,
                (Some(this), Some(other)) => this >= other,
            }
    }
}

/// A token, as text `subscription/snapshot/xid.change.key/server`; without a place, the third part is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Cluster, timeline and database: after a promotion, the same ids stand for other transactions.
    pub server: String,
    pub subscription: i64,
    pub upto: Upto,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}/", self.subscription, self.upto.target)?;
        if let Some(Place { xid, change, key }) = self.upto.place {
            write!(f, "{xid}.{change}.{key}")?;
        }
        write!(f, "/{}", self.server)
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Token, ()> {
        let parts: Vec<&str> = text.split('/').collect();
        let [subscription, target, place, server] = parts[..] else {
            return Err(());
        };
        let place = match place {
            "" => None,
            place => {
                let numbers: Vec<&str> = place.split('.').collect();
                let [xid, change, key] = numbers[..] else {
                    return Err(());
                };
                Some(Place {
                    xid: xid.parse().map_err(drop)?,
                    change: change.parse().map_err(drop)?,
                    key: key.parse().map_err(drop)?,
                })
            }
        };
        let target: Position = target.parse().map_err(drop)?;
        let in_order = target.xmin <= target.xmax && target.xip.iter().all(|xid| *xid < target.xmax);
        if !in_order {
            return Err(());
        }
        Ok(Token {
            server: server.to_string(),
            subscription: subscription.parse().map_err(drop)?,
            upto: Upto { target, place },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upto(text: &str) -> Upto {
        format!("{text}/s").parse::<Token>().unwrap().upto
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for text in [
            "1/10:20:10,12//a-1-5",
            "7/10:10:/9.44.1/a-1-5",
            "7/10:12:/11.44.0/",
        ] {
            assert_eq!(text.parse::<Token>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "1",
            "1//",
            "x/10:20://s",
            "1/10:20//s",
            "1/10:20:/1.2/s",
            "1/10:20:/1.2.3.4/s",
            "1/10:20:/1.2.x/s",
            "1/10:20:///",
            "1/10:20:/",
            "1/30:20://s",
            "1/10:20:25//s",
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }

    #[test]
    fn order_of_what_is_acknowledged() {
        let (all, early, late) = (upto("1/5:10:/"), upto("1/5:10:/6.1.2"), upto("1/5:10:/6.2.1"));
        let (next, next_early) = (upto("1/5:12:/"), upto("1/5:12:/6.1.2"));
        for (ahead, behind) in [
            (&all, &early),
            (&late, &early),
            (&next, &late),
            (&next_early, &early),
            (&next_early, &all),
        ] {
            assert!(ahead.is_at_or_ahead_of(behind), "{ahead:?} {behind:?}");
            assert!(ahead.is_at_or_ahead_of(ahead));
            assert!(!behind.is_at_or_ahead_of(ahead), "{behind:?} {ahead:?}");
        }
        // A later snapshot, but an earlier place.
        assert!(!next_early.is_at_or_ahead_of(&late));
    }
}
