#if canImport(CoreGraphics) && canImport(ImageIO)
  import CoreGraphics
  import Foundation
  import ImageIO

  extension Preprocessor {
    /// The reference path for a photo.
    public func frame(_ image: CGImage) throws(DEIMv2Error) -> Frame {
      frame(try Frame(image))
    }

    /// The fastest path for a photo: Core Graphics scales it. Up to some levels from `frame`.
    public func fastFrame(_ image: CGImage) throws(DEIMv2Error) -> Frame {
      try Frame(image, width: width, height: height)
    }
  }

  extension Frame {
    /// An image at its own size. Throws image.
    public init(_ image: CGImage) throws(DEIMv2Error) {
      try self.init(image, width: image.width, height: image.height)
    }

    /// Colours stay as they are stored, as in Python: RGB is drawn into its own colour space. But
    /// what is transparent is blended with black, where Python drops transparency.
    init(_ image: CGImage, width: Int, height: Int) throws(DEIMv2Error) {
      let own = image.colorSpace
      let space = own?.model == .rgb ? own : CGColorSpace(name: CGColorSpace.sRGB)
      var pixels = [UInt8](repeating: 0, count: width * height * 4)
      let drawn = pixels.withUnsafeMutableBytes { target in
        guard
          let space,
          let context = CGContext(
            data: target.baseAddress, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: width * 4, space: space,
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { return false }
        context.interpolationQuality = .high
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        return true
      }
      guard drawn else {
        throw .image(reason: "no bitmap of \(width)x\(height) in \(String(describing: space))")
      }
      self = try pixels.withUnsafeBytes { bytes in
        Result { () throws(DEIMv2Error) in
          try Frame(bytes, .rgba, width: width, height: height, rowStride: width * 4)
        }
      }.get()
    }
  }

  /// Reads photos upright. Throws image.
  public func uprightImage(_ data: Data) throws(DEIMv2Error) -> CGImage {
    guard let source = CGImageSourceCreateWithData(data as CFData, nil),
      let stored = CGImageSourceCreateImageAtIndex(source, 0, nil)
    else { throw .image(reason: "\(data.count) bytes that are no picture") }
    let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
    let orientation = properties?[kCGImagePropertyOrientation] as? Int ?? 1
    if orientation == 1 { return stored }
    let options: [CFString: Any] = [
      kCGImageSourceCreateThumbnailFromImageAlways: true,
      kCGImageSourceCreateThumbnailWithTransform: true,  // turns it upright
      kCGImageSourceThumbnailMaxPixelSize: max(stored.width, stored.height),
    ]
    guard
      let upright = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
    else { throw .image(reason: "orientation \(orientation)") }
    return upright
  }

  extension Golden {
    /// Reads the golden files of an export after comparing their hashes. Throws missingFile,
    /// changedFile, invalidGolden, unreadable or image.
    public static func all(of manifest: Manifest) throws(DEIMv2Error) -> [Golden] {
      try manifest.checkGolden()
      var goldens: [Golden] = []
      for entry in manifest.golden {
        let url = manifest.folder.appending(path: entry.image)
        guard let data = try? Data(contentsOf: url) else {
          throw .unreadable(path: url.path, reason: "no data")
        }
        let frame = try Frame(uprightImage(data))
        try manifest.require(frame)
        let rows = try rows(at: manifest.folder.appending(path: entry.detections))
        goldens.append(
          Golden(
            name: url.deletingPathExtension().lastPathComponent, frame: frame,
            reference: rows.detections, candidates: rows.candidates))
      }
      return goldens
    }
  }
#endif
