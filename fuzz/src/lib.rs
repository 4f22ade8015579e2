//! What the fuzz targets do with their bytes, each as one function that panics at a finding. The tests of
//! the workspace take these files in too, and put the whole corpus through them.

pub mod events;
pub mod multipart;
pub mod queries;
pub mod sniffers;
