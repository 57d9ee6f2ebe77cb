#if canImport(CoreVideo) && canImport(VideoToolbox)
  import CoreVideo
  import Foundation
  import VideoToolbox

  extension Frame {
    /// A pixel buffer at its own size: 32BGRA, or 420f (full range), which is read as BT.601. Throws
    /// image for other formats.
    public init(_ buffer: CVPixelBuffer) throws(DEIMv2Error) {
      CVPixelBufferLockBaseAddress(buffer, .readOnly)
      defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
      let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
      switch CVPixelBufferGetPixelFormatType(buffer) {
      case kCVPixelFormatType_32BGRA:
        let rowStride = CVPixelBufferGetBytesPerRow(buffer)
        guard let start = CVPixelBufferGetBaseAddress(buffer) else {
          throw .image(reason: "a pixel buffer without memory")
        }
        let pixels = UnsafeRawBufferPointer(start: start, count: rowStride * height)
        self = try Frame(pixels, .bgra, width: width, height: height, rowStride: rowStride)
      case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange:
        var bytes: [UInt8] = []
        var starts: [Int] = []
        for plane in 0..<2 {
          guard let start = CVPixelBufferGetBaseAddressOfPlane(buffer, plane) else {
            throw .image(reason: "a pixel buffer without plane \(plane)")
          }
          let count =
            CVPixelBufferGetBytesPerRowOfPlane(buffer, plane)
            * CVPixelBufferGetHeightOfPlane(buffer, plane)
          starts.append(bytes.count)
          bytes += UnsafeRawBufferPointer(start: start, count: count)
        }
        let luma = CVPixelBufferGetBytesPerRowOfPlane(buffer, 0)
        let chroma = CVPixelBufferGetBytesPerRowOfPlane(buffer, 1)
        self = try Frame(
          yuv: bytes, y: Plane(offset: 0, rowStride: luma, pixelStride: 1),
          u: Plane(offset: starts[1], rowStride: chroma, pixelStride: 2),
          v: Plane(offset: starts[1] + 1, rowStride: chroma, pixelStride: 2),
          width: width, height: height)
      case let format:
        throw .image(reason: "pixel format \(format), which is neither 32BGRA nor 420f")
      }
    }
  }

  /// A picture of the model's input size as Core ML takes it. Unchecked, because nobody writes to the
  /// buffer any more.
  public struct PixelFrame: @unchecked Sendable {
    /// 32BGRA, or 420f.
    public let buffer: CVPixelBuffer

    public init(_ buffer: CVPixelBuffer) { self.buffer = buffer }
  }

  /// The fastest path for camera frames: VideoToolbox scales and converts in hardware. Takes any pixel
  /// format, upright. Not for use from two threads at once.
  public final class CameraPreprocessor {
    private let session: VTPixelTransferSession
    private let pool: CVPixelBufferPool

    public init(_ manifest: Manifest) throws(DEIMv2Error) {
      let attributes: [CFString: Any] = [
        kCVPixelBufferWidthKey: manifest.input.width,
        kCVPixelBufferHeightKey: manifest.input.height,
        kCVPixelBufferPixelFormatTypeKey: kCVPixelFormatType_32BGRA,
        kCVPixelBufferIOSurfacePropertiesKey: [CFString: Any](),
      ]
      var madePool: CVPixelBufferPool?
      let made = CVPixelBufferPoolCreate(nil, nil, attributes as CFDictionary, &madePool)
      guard let madePool else { throw .image(reason: "pixel buffer pool status \(made)") }
      pool = madePool
      var madeSession: VTPixelTransferSession?
      let status = VTPixelTransferSessionCreate(
        allocator: nil, pixelTransferSessionOut: &madeSession)
      guard let madeSession else { throw .image(reason: "VideoToolbox status \(status)") }
      session = madeSession
    }

    /// In a buffer of its own, which goes back to the pool with its last user.
    public func frame(_ buffer: CVPixelBuffer) throws(DEIMv2Error) -> PixelFrame {
      var made: CVPixelBuffer?
      let created = CVPixelBufferPoolCreatePixelBuffer(nil, pool, &made)
      guard let made else { throw .image(reason: "pixel buffer status \(created)") }
      let status = VTPixelTransferSessionTransferImage(session, from: buffer, to: made)
      guard status == 0 else { throw .image(reason: "VideoToolbox status \(status)") }
      return PixelFrame(made)
    }
  }

  /// 32BGRA, of the kind that all processors can read without a copy.
  func makePixelBuffer(width: Int, height: Int) throws(DEIMv2Error) -> CVPixelBuffer {
    let attributes: [CFString: Any] = [kCVPixelBufferIOSurfacePropertiesKey: [CFString: Any]()]
    var made: CVPixelBuffer?
    let status = CVPixelBufferCreate(
      nil, width, height, kCVPixelFormatType_32BGRA, attributes as CFDictionary, &made)
    guard let made else { throw .image(reason: "pixel buffer status \(status)") }
    return made
  }

  extension Frame {
    /// Writes the frame into a 32BGRA buffer of its size. Throws bytes or image.
    func copy(to buffer: CVPixelBuffer) throws(DEIMv2Error) {
      CVPixelBufferLockBaseAddress(buffer, [])
      defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
      let rowStride = CVPixelBufferGetBytesPerRow(buffer)
      guard let start = CVPixelBufferGetBaseAddress(buffer) else {
        throw .image(reason: "a pixel buffer without memory")
      }
      let count = rowStride * CVPixelBufferGetHeight(buffer)
      try copyBGRA(
        to: UnsafeMutableRawBufferPointer(start: start, count: count), rowStride: rowStride)
    }
  }
#endif
