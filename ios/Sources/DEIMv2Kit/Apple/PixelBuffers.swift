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
        let pixels = UnsafeRawBufferPointer(
          start: CVPixelBufferGetBaseAddress(buffer), count: rowStride * height)
        self = try Frame(pixels, .bgra, width: width, height: height, rowStride: rowStride)
      case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange:
        let planes = (0..<2).map { plane in
          UnsafeRawBufferPointer(
            start: CVPixelBufferGetBaseAddressOfPlane(buffer, plane),
            count: CVPixelBufferGetBytesPerRowOfPlane(buffer, plane)
              * CVPixelBufferGetHeightOfPlane(buffer, plane))
        }
        let chroma = CVPixelBufferGetBytesPerRowOfPlane(buffer, 1)
        let start = planes[0].count
        self = try Frame(
          yuv: planes.flatMap { Array($0) },
          y: Plane(
            offset: 0, rowStride: CVPixelBufferGetBytesPerRowOfPlane(buffer, 0), pixelStride: 1),
          u: Plane(offset: start, rowStride: chroma, pixelStride: 2),
          v: Plane(offset: start + 1, rowStride: chroma, pixelStride: 2),
          width: width, height: height)
      case let format:
        throw .image(reason: "pixel format \(format), which is neither 32BGRA nor 420f")
      }
    }
  }

  /// The fastest path for camera frames: VideoToolbox scales and converts in hardware. Takes any pixel
  /// format, upright. Not for use from two threads at once.
  public final class CameraPreprocessor {
    private let session: VTPixelTransferSession
    private let scaled: CVPixelBuffer

    public init(_ manifest: Manifest) throws(DEIMv2Error) {
      scaled = try makePixelBuffer(width: manifest.input.width, height: manifest.input.height)
      var made: VTPixelTransferSession?
      let status = VTPixelTransferSessionCreate(allocator: nil, pixelTransferSessionOut: &made)
      guard let made else { throw .image(reason: "VideoToolbox status \(status)") }
      session = made
    }

    public func frame(_ buffer: CVPixelBuffer) throws(DEIMv2Error) -> Frame {
      let status = VTPixelTransferSessionTransferImage(session, from: buffer, to: scaled)
      guard status == 0 else { throw .image(reason: "VideoToolbox status \(status)") }
      return try Frame(scaled)
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
      try copyBGRA(
        to: UnsafeMutableRawBufferPointer(
          start: CVPixelBufferGetBaseAddress(buffer),
          count: rowStride * CVPixelBufferGetHeight(buffer)),
        rowStride: rowStride)
    }
  }
#endif
