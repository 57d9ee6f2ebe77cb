import AVFoundation
import DEIMv2Kit
import SwiftUI

/// Writes a video's pictures with their boxes into an .mp4, H.264, each at its own time, without sound. On
/// the main actor, where boxes are drawn; the encoder works beside it.
@MainActor
final class VideoWriter {
  private static let longestSide = 1280
  private static let scale: CGFloat = 2  // pixels a point: text is as large as on a screen

  private let file = TemporaryFile(extension: "mp4")
  private let writer: AVAssetWriter
  private let input: AVAssetWriterInput
  private let adaptor: AVAssetWriterInputPixelBufferAdaptor
  private let width: Int
  private let height: Int

  /// For pictures of the first one's shape. Throws NotSaved.
  init(_ first: Video.Moment) throws {
    let image = first.shot.image
    (width, height) = evenSize(
      width: image.width, height: image.height, longest: Self.longestSide)
    do {
      writer = try AVAssetWriter(url: file.url, fileType: .mp4)
    } catch {
      throw NotSaved(reason: error.localizedDescription)
    }
    input = AVAssetWriterInput(
      mediaType: .video,
      outputSettings: [
        AVVideoCodecKey: AVVideoCodecType.h264, AVVideoWidthKey: width, AVVideoHeightKey: height,
      ])
    adaptor = AVAssetWriterInputPixelBufferAdaptor(
      assetWriterInput: input,
      sourcePixelBufferAttributes: [
        kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA,
        kCVPixelBufferWidthKey as String: width, kCVPixelBufferHeightKey as String: height,
      ])
    guard writer.canAdd(input) else { throw NotSaved(reason: "no encoder for \(width)x\(height)") }
    writer.add(input)
    guard writer.startWriting() else { throw failure() }
    writer.startSession(atSourceTime: first.time)
  }

  /// Waits until the encoder takes it. Throws NotSaved, and CancellationError.
  func append(_ picture: DetectionsView, at time: CMTime) async throws {
    while writer.status == .writing, !input.isReadyForMoreMediaData {
      try await Task.sleep(for: .milliseconds(5))
    }
    try requireWriting()
    var made: CVPixelBuffer?
    guard let pool = adaptor.pixelBufferPool,
      CVPixelBufferPoolCreatePixelBuffer(nil, pool, &made) == 0, let made, draw(picture, into: made)
    else { throw NotSaved(reason: "no memory for a picture of \(width)x\(height)") }
    guard adaptor.append(made, withPresentationTime: time) else { throw failure() }
  }

  /// The file, whole. Throws NotSaved.
  func finish() async throws -> TemporaryFile {
    try requireWriting()
    input.markAsFinished()
    await withCheckedContinuation { continuation in
      writer.finishWriting { continuation.resume() }
    }
    guard writer.status == .completed else { throw failure() }
    return file
  }

  /// Nothing more is written; of no effect once the file is whole.
  func cancel() { writer.cancelWriting() }

  private func draw(_ picture: DetectionsView, into buffer: CVPixelBuffer) -> Bool {
    let renderer = ImageRenderer(content: picture)
    renderer.scale = Self.scale
    let area = CGRect(x: 0, y: 0, width: width, height: height)
    renderer.proposedSize = ProposedViewSize(
      width: area.width / Self.scale, height: area.height / Self.scale)
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    guard let drawn = renderer.cgImage, let space = CGColorSpace(name: CGColorSpace.sRGB),
      let context = CGContext(
        data: CVPixelBufferGetBaseAddress(buffer), width: width, height: height,
        bitsPerComponent: 8, bytesPerRow: CVPixelBufferGetBytesPerRow(buffer), space: space,
        bitmapInfo: CGImageAlphaInfo.noneSkipFirst.rawValue
          | CGBitmapInfo.byteOrder32Little.rawValue)
    else { return false }
    context.draw(drawn, in: area)
    return true
  }

  /// In another state, as after a failure, AVFoundation raises exceptions.
  private func requireWriting() throws {
    guard writer.status == .writing else { throw failure() }
  }

  private func failure() -> NotSaved {
    NotSaved(reason: writer.error?.localizedDescription ?? "the encoder stopped")
  }
}

/// A video could not be saved; nothing of it is left.
struct NotSaved: LocalizedError {
  let reason: String

  var errorDescription: String? {
    "The video could not be saved (\(reason)); make room on this device, or choose another video."
  }
}
