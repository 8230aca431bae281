//! The net change of a source by a transaction: images of rows, each with how often it was added (positive) or
//! removed (negative). Keys may be logged too often, a net change may not: it is exact, or unknown.

/// More than this is not kept: the net change is unknown.
const MAXIMUM_IMAGES: usize = 1_000;
const MAXIMUM_BYTES: usize = 64 << 10;
/// Maximum size of one image.
pub const MAXIMUM_IMAGE: usize = 1 << 10;

/// How one row has changed, as images of what its trigger tells.
#[derive(Clone, Copy)]
pub enum RowChange<'a> {
    /// No image is wanted, or an image could not be written.
    Unknown,
    /// The image before and after.
    Images(Option<&'a [u8]>, Option<&'a [u8]>),
}

/// The net change of a source at one level.
#[derive(Debug, Default)]
pub enum NetChange {
    /// No row change was noted: unknown, if there are keys.
    #[default]
    Untold,
    Unknown,
    Known(Images),
}

/// Distinct images, each with a count that may be 0.
#[derive(Debug, Default)]
pub struct Images {
    images: Vec<(Vec<u8>, i64)>,
    bytes: usize,
}

impl NetChange {
    pub fn add(&mut self, change: RowChange) {
        if let NetChange::Untold = self {
            *self = NetChange::Known(Images::default());
        }
        match (&mut *self, change) {
            (NetChange::Unknown | NetChange::Untold, _) => {}
            (_, RowChange::Unknown) => *self = NetChange::Unknown,
            (NetChange::Known(images), RowChange::Images(old, new)) => {
                let fits = old.is_none_or(|image| images.add(image, -1))
                    && new.is_none_or(|image| images.add(image, 1));
                if !fits {
                    *self = NetChange::Unknown;
                }
            }
        }
    }

    /// Adds the net change of a subtransaction that has committed.
    pub fn absorb(&mut self, child: NetChange) {
        match (&mut *self, child) {
            (NetChange::Unknown, _) => {}
            (_, NetChange::Unknown | NetChange::Untold) | (NetChange::Untold, _) => {
                *self = NetChange::Unknown
            }
            (NetChange::Known(mine), NetChange::Known(mut theirs)) => {
                if theirs.images.len() > mine.images.len() {
                    std::mem::swap(mine, &mut theirs);
                }
                if !theirs.images.iter().all(|(image, count)| mine.add(image, *count)) {
                    *self = NetChange::Unknown;
                }
            }
        }
    }

    /// The net change as a JSON array of counts and images; None if unknown. Nothing is left.
    pub fn take_json(&mut self) -> Option<Vec<u8>> {
        let NetChange::Known(images) = self else {
            return None;
        };
        let json = std::mem::take(images).into_json();
        *self = NetChange::Untold;
        Some(json)
    }
}

impl Images {
    /// False: there are too many images.
    fn add(&mut self, image: &[u8], count: i64) -> bool {
        let known = self.images.iter_mut().rev().find(|(known, _)| known == image);
        if let Some((_, known)) = known {
            *known += count;
            return true;
        }
        self.bytes += image.len();
        self.images.push((image.to_vec(), count));
        self.images.len() <= MAXIMUM_IMAGES && self.bytes <= MAXIMUM_BYTES
    }

    fn into_json(self) -> Vec<u8> {
        let mut json = Vec::with_capacity(self.bytes + 8 * self.images.len() + 2);
        json.push(b'[');
        for (image, count) in self.images.iter().filter(|(_, count)| *count != 0) {
            if json.len() > 1 {
                json.push(b',');
            }
            json.push(b'[');
            json.extend_from_slice(count.to_string().as_bytes());
            json.push(b',');
            json.extend_from_slice(image);
            json.push(b']');
        }
        json.push(b']');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(net: &mut NetChange) -> Option<String> {
        net.take_json().map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn equal_images_are_added_up_and_may_cancel_out() {
        let mut net = NetChange::default();
        net.add(RowChange::Images(None, Some(b"{1}")));
        net.add(RowChange::Images(Some(b"{1}"), Some(b"{2}")));
        net.add(RowChange::Images(None, Some(b"{2}")));
        net.add(RowChange::Images(Some(b"{3}"), None));
        assert_eq!(json(&mut net).unwrap(), "[[2,{2}],[-1,{3}]]");
        assert_eq!(json(&mut net), None);
        net.add(RowChange::Images(None, Some(b"{1}")));
        net.add(RowChange::Images(Some(b"{1}"), None));
        assert_eq!(json(&mut net).unwrap(), "[]");
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let mut net = NetChange::default();
        net.add(RowChange::Unknown);
        net.add(RowChange::Images(None, Some(b"{1}")));
        assert_eq!(json(&mut net), None);
        let mut parent = NetChange::default();
        parent.add(RowChange::Images(None, Some(b"{1}")));
        parent.absorb(net);
        assert_eq!(json(&mut parent), None);
    }

    #[test]
    fn a_committed_child_is_added() {
        let mut parent = NetChange::default();
        parent.add(RowChange::Images(None, Some(b"{1}")));
        let mut child = NetChange::default();
        child.add(RowChange::Images(Some(b"{1}"), Some(b"{2}")));
        child.add(RowChange::Images(None, Some(b"{2}")));
        parent.absorb(child);
        assert_eq!(json(&mut parent).unwrap(), "[[2,{2}]]");
    }

    #[test]
    fn too_much_is_unknown() {
        let image = |n: usize| format!("{{{n}}}").into_bytes();
        let mut net = NetChange::default();
        for n in 0..MAXIMUM_IMAGES {
            net.add(RowChange::Images(None, Some(&image(n))));
        }
        assert!(matches!(net, NetChange::Known(_)));
        net.add(RowChange::Images(None, Some(&image(MAXIMUM_IMAGES))));
        assert!(matches!(net, NetChange::Unknown));
        let mut net = NetChange::default();
        for n in 0..100 {
            let mut large = image(n);
            large.resize(MAXIMUM_IMAGE, b' ');
            net.add(RowChange::Images(None, Some(&large)));
        }
        assert!(matches!(net, NetChange::Unknown));
    }
}
