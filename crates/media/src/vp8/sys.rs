//! libvpx behind safe types. The only unsafe code of the crate.
//!
//! Each type owns one codec context, on the heap and never moved out of it, destroyed on drop. No pointer that
//! libvpx gives outlives the borrow of the context it came from.

#![allow(unsafe_code)]

use core::ffi::{c_int, c_long, c_uint, c_ulong};
use core::mem::MaybeUninit;
use core::ptr;

use vpx_sys::{vp8e_enc_control_id as control, vpx_codec_err_t};

use crate::picture::{I420View, PictureError, Plane};

/// libvpx's error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VpxError(pub(super) u32);

fn check(result: vpx_codec_err_t) -> Result<(), VpxError> {
    match result {
        vpx_codec_err_t::VPX_CODEC_OK => Ok(()),
        error => Err(VpxError(error as u32)),
    }
}

/// What an encoder is made with. Times are microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawEncoderSettings {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) threads: u32,
    pub(super) bitrate_kbps: u32,
    pub(super) min_quantizer: u32,
    pub(super) max_quantizer: u32,
    /// Buffer fullness in percent below which frames are dropped; 0 never drops.
    pub(super) drop_threshold: u32,
    /// Frames may be dropped by the network without harm to the probability tables.
    pub(super) error_resilient: bool,
    pub(super) cpu_used: i32,
    pub(super) max_intra_percent: u32,
    pub(super) static_threshold: u32,
    pub(super) screen_content: u32,
}

/// One encoded frame, borrowed from the encoder.
pub(super) struct RawFrame<'a> {
    pub(super) data: &'a [u8],
    pub(super) key: bool,
}

/// A VP8 encoder context and the configuration that it runs with.
pub(super) struct RawEncoder {
    context: Box<vpx_sys::vpx_codec_ctx_t>,
    config: vpx_sys::vpx_codec_enc_cfg_t,
}

// SAFETY: a libvpx context has no thread affinity; it is used by one thread at a time because every call takes
// `&mut self`, and the worker threads it starts are its own.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(super) fn new(settings: &RawEncoderSettings) -> Result<Self, VpxError> {
        let config = configuration(settings)?;
        // SAFETY: all-zero bytes are a valid `vpx_codec_ctx`: null pointers, zero flags, and error 0 = OK.
        let mut context: Box<vpx_sys::vpx_codec_ctx_t> =
            unsafe { Box::new(MaybeUninit::zeroed().assume_init()) };
        // SAFETY: context and configuration are valid for the call, and libvpx copies the configuration.
        check(unsafe {
            vpx_sys::vpx_codec_enc_init_ver(
                &raw mut *context,
                vpx_sys::vpx_codec_vp8_cx(),
                &raw const config,
                0,
                vpx_sys::VPX_ENCODER_ABI_VERSION as c_int,
            )
        })?;
        let mut encoder = Self { context, config };
        encoder.control(control::VP8E_SET_CPUUSED, settings.cpu_used)?;
        encoder.control(control::VP8E_SET_MAX_INTRA_BITRATE_PCT, settings.max_intra_percent.cast_signed())?;
        encoder.control(control::VP8E_SET_STATIC_THRESHOLD, settings.static_threshold.cast_signed())?;
        encoder.control(control::VP8E_SET_SCREEN_CONTENT_MODE, settings.screen_content.cast_signed())?;
        // Partitions let two threads write and read the coefficients; one thread gains nothing from them.
        encoder.control(control::VP8E_SET_TOKEN_PARTITIONS, c_int::from(settings.threads > 1))?;
        Ok(encoder)
    }

    fn control(&mut self, id: control, value: c_int) -> Result<(), VpxError> {
        // SAFETY: the context is initialised, and every control used in this file takes one int.
        check(unsafe { vpx_sys::vpx_codec_control_(&raw mut *self.context, id as c_int, value) })
    }

    pub(super) fn set_bitrate(&mut self, kbps: u32) -> Result<(), VpxError> {
        self.config.rc_target_bitrate = kbps;
        // SAFETY: the context is initialised; libvpx copies the configuration.
        check(unsafe { vpx_sys::vpx_codec_enc_config_set(&raw mut *self.context, &raw const self.config) })
    }

    /// Encodes one picture of the configured size; `None` when rate control dropped it. `pts_us` must rise.
    pub(super) fn encode(
        &mut self,
        picture: &I420View<'_>,
        pts_us: i64,
        duration_us: u32,
        flags: u32,
    ) -> Result<Option<RawFrame<'_>>, VpxError> {
        let image = wrap(picture)?;
        // SAFETY: the context is initialised; `image` describes planes that `picture` borrows for longer than this
        // call, of the size and strides that `I420View` checked; libvpx copies them and does not write to them.
        check(unsafe {
            vpx_sys::vpx_codec_encode(
                &raw mut *self.context,
                &raw const image,
                pts_us,
                c_ulong::from(duration_us),
                c_long::from(flags),
                c_ulong::from(vpx_sys::VPX_DL_REALTIME),
            )
        })?;
        Ok(self.output())
    }

    fn output(&mut self) -> Option<RawFrame<'_>> {
        let mut iterator: vpx_sys::vpx_codec_iter_t = ptr::null();
        loop {
            // SAFETY: the context is initialised and the iterator belongs to this drain of its output.
            let packet = unsafe { vpx_sys::vpx_codec_get_cx_data(&raw mut *self.context, &raw mut iterator) };
            // SAFETY: libvpx gives null or a packet that stays valid until the next call on the context, which
            // the returned borrow of `self` prevents.
            let packet = unsafe { packet.as_ref() }?;
            if packet.kind != vpx_sys::vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says that the union holds a frame.
            let frame = unsafe { packet.data.frame };
            let len = usize::try_from(frame.sz).unwrap_or(0);
            if frame.buf.is_null() || len == 0 {
                return None;
            }
            // SAFETY: `buf` points to `sz` initialised bytes that live as long as the packet.
            let data = unsafe { core::slice::from_raw_parts(frame.buf.cast::<u8>(), len) };
            return Some(RawFrame { data, key: frame.flags & vpx_sys::VPX_FRAME_IS_KEY != 0 });
        }
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the context was initialised and is not used afterwards.
        unsafe { vpx_sys::vpx_codec_destroy(&raw mut *self.context) };
    }
}

fn configuration(settings: &RawEncoderSettings) -> Result<vpx_sys::vpx_codec_enc_cfg_t, VpxError> {
    let mut config = MaybeUninit::<vpx_sys::vpx_codec_enc_cfg_t>::uninit();
    // SAFETY: libvpx fills the whole structure when it gives OK (some of its enums have no zero, so zeroed memory
    // would not be a value).
    let mut config = unsafe {
        check(vpx_sys::vpx_codec_enc_config_default(vpx_sys::vpx_codec_vp8_cx(), config.as_mut_ptr(), 0))?;
        config.assume_init()
    };
    config.g_w = settings.width;
    config.g_h = settings.height;
    config.g_threads = settings.threads;
    config.g_timebase = vpx_sys::vpx_rational { num: 1, den: 1_000_000 };
    config.g_error_resilient =
        if settings.error_resilient { vpx_sys::VPX_ERROR_RESILIENT_DEFAULT } else { 0 };
    config.g_pass = vpx_sys::vpx_enc_pass::VPX_RC_ONE_PASS;
    config.g_lag_in_frames = 0;
    config.rc_dropframe_thresh = settings.drop_threshold;
    config.rc_resize_allowed = 0;
    config.rc_end_usage = vpx_sys::vpx_rc_mode::VPX_CBR;
    config.rc_target_bitrate = settings.bitrate_kbps;
    config.rc_min_quantizer = settings.min_quantizer;
    config.rc_max_quantizer = settings.max_quantizer;
    // The rate control buffer in milliseconds of the bitrate: one second, as WebRTC implementations use it.
    config.rc_undershoot_pct = 100;
    config.rc_overshoot_pct = 15;
    config.rc_buf_sz = 1_000;
    config.rc_buf_initial_sz = 500;
    config.rc_buf_optimal_sz = 600;
    config.kf_mode = vpx_sys::vpx_kf_mode::VPX_KF_DISABLED;
    Ok(config)
}

/// An image descriptor over the planes of `picture`, valid while they are borrowed.
fn wrap(picture: &I420View<'_>) -> Result<vpx_sys::vpx_image_t, VpxError> {
    const INVALID: VpxError = VpxError(vpx_codec_err_t::VPX_CODEC_INVALID_PARAM as u32);
    let [luma, ..] = picture.planes();
    let mut image = MaybeUninit::<vpx_sys::vpx_image_t>::uninit();
    // SAFETY: a non-null data pointer makes libvpx only describe, never allocate or touch it; null means that
    // the size was refused. When it succeeds every field is set.
    let mut image = unsafe {
        let wrapped = vpx_sys::vpx_img_wrap(
            image.as_mut_ptr(),
            vpx_sys::vpx_img_fmt::VPX_IMG_FMT_I420,
            picture.width() as c_uint,
            picture.height() as c_uint,
            1,
            luma.data.as_ptr().cast_mut(),
        );
        if wrapped.is_null() {
            return Err(INVALID);
        }
        image.assume_init()
    };
    let targets = image.planes.iter_mut().zip(&mut image.stride);
    for ((pointer, stride), plane) in targets.zip(picture.planes()) {
        *pointer = plane.data.as_ptr().cast_mut();
        *stride = c_int::try_from(plane.stride).map_err(|_| INVALID)?;
    }
    Ok(image)
}

/// A VP8 decoder context.
pub(super) struct RawDecoder {
    context: Box<vpx_sys::vpx_codec_ctx_t>,
}

// SAFETY: as for `RawEncoder`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(super) fn new(threads: u32) -> Result<Self, VpxError> {
        let config = vpx_sys::vpx_codec_dec_cfg_t { threads, w: 0, h: 0 };
        // SAFETY: all-zero bytes are a valid `vpx_codec_ctx`, as in `RawEncoder::new`.
        let mut context: Box<vpx_sys::vpx_codec_ctx_t> =
            unsafe { Box::new(MaybeUninit::zeroed().assume_init()) };
        // SAFETY: context and configuration are valid for the call, and libvpx copies the configuration.
        check(unsafe {
            vpx_sys::vpx_codec_dec_init_ver(
                &raw mut *context,
                vpx_sys::vpx_codec_vp8_dx(),
                &raw const config,
                0,
                vpx_sys::VPX_DECODER_ABI_VERSION as c_int,
            )
        })?;
        Ok(Self { context })
    }

    /// Decodes one frame that is not empty.
    pub(super) fn decode(&mut self, frame: &[u8]) -> Result<(), VpxError> {
        let len = c_uint::try_from(frame.len())
            .map_err(|_| VpxError(vpx_codec_err_t::VPX_CODEC_INVALID_PARAM as u32))?;
        // SAFETY: the context is initialised; libvpx reads `len` bytes during the call and keeps none.
        check(unsafe {
            vpx_sys::vpx_codec_decode(&raw mut *self.context, frame.as_ptr(), len, ptr::null_mut(), 0)
        })
    }

    /// The picture of the last decoded frame, if it shows one.
    pub(super) fn picture(&mut self) -> Result<Option<I420View<'_>>, PictureError> {
        let mut iterator: vpx_sys::vpx_codec_iter_t = ptr::null();
        // SAFETY: the context is initialised and the iterator is fresh.
        let image = unsafe { vpx_sys::vpx_codec_get_frame(&raw mut *self.context, &raw mut iterator) };
        // SAFETY: null, or an image that stays valid until the next call on the context, which the returned borrow
        // of `self` prevents.
        let Some(image) = (unsafe { image.as_ref() }) else { return Ok(None) };
        let (width, height) = (image.d_w, image.d_h);
        crate::picture::check_size(width, height)?;
        let mut planes = [Plane { data: &[], stride: 0 }; 3];
        let sizes = crate::picture::plane_sizes(width, height);
        let sources = image.planes.iter().zip(image.stride).zip(sizes);
        for (plane, ((pointer, stride), (plane_width, plane_height))) in planes.iter_mut().zip(sources) {
            let stride = usize::try_from(stride).map_err(|_| PictureError::TooShort)?;
            if pointer.is_null() || stride < plane_width {
                return Err(PictureError::TooShort);
            }
            let len = stride.saturating_mul(plane_height.saturating_sub(1)).saturating_add(plane_width);
            // SAFETY: libvpx's plane has `plane_height` rows `stride` bytes apart with at least `plane_width`
            // initialised samples each, so `len` bytes from its first sample are readable, and they live as long as
            // the image.
            plane.data = unsafe { core::slice::from_raw_parts(pointer.cast_const(), len) };
            plane.stride = stride;
        }
        I420View::new(width, height, planes).map(Some)
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the context was initialised and is not used afterwards.
        unsafe { vpx_sys::vpx_codec_destroy(&raw mut *self.context) };
    }
}
