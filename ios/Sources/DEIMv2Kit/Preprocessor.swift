/// From a picture of any size to the model's input. This is the reference path, equal to Python's
/// within one level; `Apple/` has what the system does faster and not quite equally.
public struct Preprocessor: Sendable {
  public let width: Int
  public let height: Int

  public init(_ manifest: Manifest) {
    (width, height) = (manifest.input.width, manifest.input.height)
  }

  public func frame(_ picture: Frame, rotation: Rotation = .none) -> Frame {
    picture.resized(width: width, height: height, rotation: rotation)
  }
}
