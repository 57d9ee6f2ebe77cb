import CoreGraphics
import DEIMv2Kit
import SwiftUI
import UIKit
import UniformTypeIdentifiers

/// A photo with its boxes, drawn when it is shared. Unchecked, because a CGImage never changes.
struct SharedPicture: Transferable, @unchecked Sendable {
  private static let longestSide = 2048  // pixels, as on Android
  private static let points: CGFloat = 640

  let image: CGImage
  let found: [DetectionsView.Named]

  static var transferRepresentation: some TransferRepresentation {
    DataRepresentation(exportedContentType: .jpeg) { (picture: SharedPicture) in
      guard let data = await picture.drawn()?.jpegData(compressionQuality: 0.9) else {
        throw DEIMv2Error.image(reason: "the picture with its boxes is too large for this device")
      }
      return data
    }
  }

  /// With boxes and text as thick and large as on a screen. On the main actor, where boxes are drawn; the
  /// JPEG is made beside it.
  @MainActor private func drawn() -> UIImage? {
    let (width, height) = evenSize(
      width: image.width, height: image.height, longest: Self.longestSide)
    let scale = max(1, CGFloat(max(width, height)) / Self.points)
    let renderer = ImageRenderer(content: DetectionsView(image: image, found: found))
    renderer.scale = scale
    renderer.proposedSize = ProposedViewSize(
      width: CGFloat(width) / scale, height: CGFloat(height) / scale)
    return renderer.uiImage
  }
}
