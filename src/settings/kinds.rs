//! The kinds of settings: what each says about itself, how it is registered, and how its value is read.

use std::ffi::{CStr, CString};
use std::ops::RangeInclusive;
use std::time::Duration;

use pgrx::guc::GucEnum;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// Who changes a setting, and when the change takes effect.
#[derive(Clone, Copy)]
pub enum Changed {
    /// The configuration, at the start of the server.
    AtRestart,
    /// The configuration, at a reload.
    OnReload,
    /// The same, or a superuser in a session.
    BySuperuser,
    /// The same, or any user in a session.
    InSession,
}

impl From<Changed> for GucContext {
    fn from(changed: Changed) -> Self {
        match changed {
            Changed::AtRestart => GucContext::Postmaster,
            Changed::OnReload => GucContext::Sighup,
            Changed::BySuperuser => GucContext::Suset,
            Changed::InSession => GucContext::Userset,
        }
    }
}

/// What a number counts.
#[derive(Clone, Copy)]
pub enum Unit {
    Things,
    Milliseconds,
    Seconds,
    Kilobytes,
    Megabytes,
}

impl From<Unit> for GucFlags {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Things => GucFlags::empty(),
            Unit::Milliseconds => GucFlags::UNIT_MS,
            Unit::Seconds => GucFlags::UNIT_S,
            Unit::Kilobytes => GucFlags::UNIT_KB,
            Unit::Megabytes => GucFlags::UNIT_MB,
        }
    }
}

/// A setting that is on or off.
pub struct Switch {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
    pub changed: Changed,
    pub value: GucSetting<bool>,
}

impl Switch {
    pub fn define(&'static self) {
        let (context, flags) = (self.changed.into(), GucFlags::empty());
        GucRegistry::define_bool_guc(self.name, self.short, self.long, &self.value, context, flags);
    }

    pub fn is_on(&self) -> bool {
        self.value.get()
    }
}

/// A setting that is a whole number.
pub struct Number {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
    pub unit: Unit,
    pub range: RangeInclusive<i32>,
    pub changed: Changed,
    pub value: GucSetting<i32>,
}

impl Number {
    pub fn define(&'static self) {
        let (min, max) = (*self.range.start(), *self.range.end());
        let (context, unit) = (self.changed.into(), self.unit.into());
        GucRegistry::define_int_guc(
            self.name,
            self.short,
            self.long,
            &self.value,
            min,
            max,
            context,
            unit,
        );
    }

    pub fn get(&self) -> i32 {
        self.value.get()
    }

    /// The value of a setting without negative values.
    pub fn count(&self) -> usize {
        self.get() as usize
    }

    /// The value of a setting in milliseconds or seconds; a negative one counts as zero.
    pub fn time(&self) -> Duration {
        let value = u64::try_from(self.get()).unwrap_or(0);
        match self.unit {
            Unit::Milliseconds => Duration::from_millis(value),
            Unit::Seconds => Duration::from_secs(value),
            Unit::Things | Unit::Kilobytes | Unit::Megabytes => unreachable!("{:?} is no time", self.name),
        }
    }

    /// The value of a setting in kB or MB.
    pub fn bytes(&self) -> usize {
        match self.unit {
            Unit::Kilobytes => self.count() * 1024,
            Unit::Megabytes => self.count() * 1024 * 1024,
            Unit::Things | Unit::Milliseconds | Unit::Seconds => unreachable!("{:?} is no size", self.name),
        }
    }
}

/// A setting that is a share of a whole, in percent.
pub struct Percentage {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
    pub range: RangeInclusive<f64>,
    pub changed: Changed,
    pub value: GucSetting<f64>,
}

impl Percentage {
    pub fn define(&'static self) {
        let (min, max) = (*self.range.start(), *self.range.end());
        let (context, flags) = (self.changed.into(), GucFlags::empty());
        GucRegistry::define_float_guc(
            self.name,
            self.short,
            self.long,
            &self.value,
            min,
            max,
            context,
            flags,
        );
    }

    /// From 0 to 1.
    pub fn share(&self) -> f64 {
        self.value.get() / 100.0
    }
}

/// A setting that is one of several words.
pub struct Choice<T: GucEnum> {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
    pub changed: Changed,
    pub value: GucSetting<T>,
}

impl<T: GucEnum> Choice<T> {
    pub fn define(&'static self) {
        let (context, flags) = (self.changed.into(), GucFlags::empty());
        GucRegistry::define_enum_guc(self.name, self.short, self.long, &self.value, context, flags);
    }

    pub fn get(&self) -> T {
        self.value.get()
    }
}

/// Registers a setting of a session that is a short text: name, both descriptions, place.
pub type DefineShortText =
    fn(&'static CStr, &'static CStr, &'static CStr, &'static GucSetting<Option<CString>>);
