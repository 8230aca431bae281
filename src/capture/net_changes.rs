//! The net change of a source by a transaction: images of rows, each with how often it was added (positive) or
//! removed (negative). Keys may be logged too often, a net change may not: it is exact, or unknown.

use super::key_set::KeySet;

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

impl RowChange<'_> {
    /// A change that is told already: this is one more key of the same row.
    pub const TOLD: Self = RowChange::Images(None, None);
}

/// The net change of a source at one level.
#[derive(Debug)]
pub enum NetChange {
    Unknown,
    Known(Images),
}

impl Default for NetChange {
    fn default() -> Self {
        NetChange::Known(Images::default())
    }
}

/// Distinct images, each with a count that may be 0.
#[derive(Debug, Default)]
pub struct Images {
    images: KeySet,
    /// By the place of the image.
    counts: Vec<i64>,
}

impl NetChange {
    pub fn add(&mut self, change: RowChange) {
        match (&mut *self, change) {
            (NetChange::Unknown, _) => {}
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
            (_, NetChange::Unknown) => *self = NetChange::Unknown,
            (NetChange::Known(mine), NetChange::Known(mut theirs)) => {
                if theirs.counts.len() > mine.counts.len() {
                    std::mem::swap(mine, &mut theirs);
                }
                if !theirs.counted().all(|(image, count)| mine.add(image, count)) {
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
        Some(std::mem::take(images).into_json())
    }

    /// Bytes of images.
    pub fn bytes(&self) -> usize {
        match self {
            NetChange::Known(images) => images.images.bytes(),
            _ => 0,
        }
    }
}

impl Images {
    /// False: there are too many images.
    fn add(&mut self, image: &[u8], count: i64) -> bool {
        match self.images.place(image) {
            Ok(_) => self.counts.push(count),
            Err(known) => self.counts[known] += count,
        }
        self.counts.len() <= MAXIMUM_IMAGES && self.images.bytes() <= MAXIMUM_BYTES
    }

    fn counted(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.images.keys().zip(self.counts.iter().copied())
    }

    fn into_json(self) -> Vec<u8> {
        let mut json = Vec::with_capacity(self.images.bytes() + 8 * self.counts.len() + 2);
        json.push(b'[');
        for (image, count) in self.counted().filter(|(_, count)| *count != 0) {
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
        assert_eq!(json(&mut net).unwrap(), "[]");
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
