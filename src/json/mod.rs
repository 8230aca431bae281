//! JSON as bytes, without PostgreSQL: text written and read, and the image of `jsonb`.

pub mod flat;
pub mod jsonb_image;
pub mod text;
