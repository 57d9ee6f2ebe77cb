import CoreGraphics
import DEIMv2Kit
import VideoToolbox

/// A picture: what the user sees, and the model's input made of it.
struct Shot: @unchecked Sendable {  // a CGImage never changes
  let image: CGImage
  let frame: PixelFrame
}

extension Shot {
  /// Of a camera's or a video's frame, upright. Throws image.
  init(_ buffer: CVImageBuffer, by preprocessor: CameraPreprocessor) throws {
    var made: CGImage?
    let status = VTCreateCGImageFromCVPixelBuffer(buffer, options: nil, imageOut: &made)
    guard let made else { throw DEIMv2Error.image(reason: "VideoToolbox status \(status)") }
    self.init(image: made, frame: try preprocessor.frame(buffer))
  }
}
