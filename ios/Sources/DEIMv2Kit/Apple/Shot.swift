#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import CoreGraphics
  import VideoToolbox

  /// A picture: what the user sees, and the model's input made of it.
  public struct Shot: @unchecked Sendable {  // a CGImage never changes
    public let image: CGImage
    public let frame: PixelFrame
  }

  extension Shot {
    /// Of a camera's or a video's frame, upright. Throws image.
    public init(_ buffer: CVImageBuffer, by preprocessor: CameraPreprocessor) throws {
      var made: CGImage?
      let status = VTCreateCGImageFromCVPixelBuffer(buffer, options: nil, imageOut: &made)
      guard let made else { throw DEIMv2Error.image(reason: "VideoToolbox status \(status)") }
      self.init(image: made, frame: try preprocessor.frame(buffer))
    }
  }
#endif
