/// A picture: RGB, uint8, rows from the top, [height, width, 3].
public struct Frame: Sendable, Equatable {
  public let width: Int
  public let height: Int
  public let bytes: [UInt8]

  /// Throws bytes unless there are width * height * 3 of them.
  public init(width: Int, height: Int, bytes: [UInt8]) throws(DEIMv2Error) {
    guard width > 0, height > 0, bytes.count == width * height * 3 else {
      throw .bytes(count: bytes.count, width: width, height: height)
    }
    self.init(unchecked: bytes, width: width, height: height)
  }

  init(unchecked bytes: [UInt8], width: Int, height: Int) {
    (self.width, self.height, self.bytes) = (width, height, bytes)
  }

  /// Order of the channels in four bytes.
  public enum Channels: Sendable { case bgra, rgba }

  /// From rows of four bytes per pixel; the fourth is dropped. Throws bytes where they do not suffice.
  public init(
    _ pixels: UnsafeRawBufferPointer, _ channels: Channels, width: Int, height: Int, rowStride: Int
  ) throws(DEIMv2Error) {
    let last = (height - 1) * rowStride + width * 4
    guard width > 0, height > 0, rowStride >= width * 4, pixels.count >= last else {
      throw .bytes(count: pixels.count, width: width, height: height)
    }
    let (red, blue) = channels == .rgba ? (0, 2) : (2, 0)
    self.width = width
    self.height = height
    bytes = Array(unsafeUninitializedCapacity: width * height * 3) { target, count in
      var at = 0
      for y in 0..<height {
        for source in stride(from: y * rowStride, to: y * rowStride + width * 4, by: 4) {
          target[at] = pixels[source + red]
          target[at + 1] = pixels[source + 1]
          target[at + 2] = pixels[source + blue]
          at += 3
        }
      }
      count = at
    }
  }

  /// One plane of a YUV frame: the sample of (x, y) lies at offset + y * rowStride + x * pixelStride.
  public struct Plane: Sendable, Decodable {
    public let offset, rowStride, pixelStride: Int

    public init(offset: Int, rowStride: Int, pixelStride: Int) {
      (self.offset, self.rowStride, self.pixelStride) = (offset, rowStride, pixelStride)
    }

    func last(_ x: Int, _ y: Int) -> Int { offset + y * rowStride + x * pixelStride }
  }

  /// From YUV 4:2:0, BT.601 full range (ITU-T T.871); each chroma sample stands for four pixels.
  /// Throws bytes where they do not suffice.
  public init(
    yuv bytes: [UInt8], y: Plane, u: Plane, v: Plane, width: Int, height: Int
  ) throws(DEIMv2Error) {
    let (right, below) = (width - 1, height - 1)
    let last = max(
      y.last(right, below), u.last(right / 2, below / 2), v.last(right / 2, below / 2))
    guard width > 0, height > 0, bytes.count > last else {
      throw .bytes(count: bytes.count, width: width, height: height)
    }
    var rgb: [UInt8] = []
    rgb.reserveCapacity(width * height * 3)
    for row in 0..<height {
      for column in 0..<width {
        let luma = Float(bytes[y.last(column, row)])
        let cb = Float(bytes[u.last(column / 2, row / 2)]) - 128
        let cr = Float(bytes[v.last(column / 2, row / 2)]) - 128
        rgb.append(level(luma + 1.402 * cr))
        rgb.append(level(luma - 0.344136 * cb - 0.714136 * cr))
        rgb.append(level(luma + 1.772 * cb))
      }
    }
    self.init(unchecked: rgb, width: width, height: height)
  }

  /// Writes BGRA rows, opaque. Throws bytes where there is no room.
  public func copyBGRA(
    to pixels: UnsafeMutableRawBufferPointer, rowStride: Int
  ) throws(DEIMv2Error) {
    guard rowStride >= width * 4, pixels.count >= (height - 1) * rowStride + width * 4 else {
      throw .bytes(count: pixels.count, width: width, height: height)
    }
    bytes.withUnsafeBufferPointer { source in
      var at = 0
      for y in 0..<height {
        for target in stride(from: y * rowStride, to: y * rowStride + width * 4, by: 4) {
          pixels[target] = source[at + 2]
          pixels[target + 1] = source[at + 1]
          pixels[target + 2] = source[at]
          pixels[target + 3] = 255
          at += 3
        }
      }
    }
  }
}

private func level(_ value: Float) -> UInt8 { UInt8(min(max(value.rounded(), 0), 255)) }
