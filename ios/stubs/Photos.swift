// Compile-only stub of Photos, as documented for iOS 17.
@_exported import CFStubs

public enum PHAccessLevel: Int, Sendable { case addOnly = 1, readWrite }
public enum PHAuthorizationStatus: Int, Sendable {
  case notDetermined, restricted, denied, authorized, limited
}

open class PHPhotoLibrary: NSObject {
  open class func shared() -> PHPhotoLibrary { stub() }
  open class func requestAuthorization(
    for accessLevel: PHAccessLevel
  ) async -> PHAuthorizationStatus { stub() }
  open func performChanges(_ changeBlock: @escaping @Sendable () -> Void) async throws {}
}

open class PHChangeRequest: NSObject {}
open class PHAssetChangeRequest: PHChangeRequest {
  @discardableResult open class func creationRequestForAssetFromVideo(
    atFileURL fileURL: URL
  ) -> Self? { stub() }
}
